"""Where what runspan keeps of a client stands: on the client, so that both go together.

A table would keep clients alive whose own settings lead back to them: a provider of tokens that is a method of the client, say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

NAME = "runspan_background"


class Kept(ABC):
    """What is kept of one client."""

    @abstractmethod
    def fits(self, client: Any) -> bool:
        """Whether it was made of this client as it is now: a copy of a client has its attributes."""

    def __reduce__(self) -> Any:
        """Deep copies of a client, and pickles, hold None in its place."""
        return type(None), ()


AnyKept = TypeVar("AnyKept", bound=Kept)


def kept_on(client: Any, make: Callable[[Any], AnyKept]) -> AnyKept:
    """What is kept of `client`; made where there is nothing that fits."""
    kept: AnyKept | None = getattr(client, "__dict__", {}).get(NAME)
    if kept is None or not kept.fits(client):
        kept = make(client)
        with suppress(AttributeError, TypeError):  # it takes no attributes
            setattr(client, NAME, kept)
    return kept
