"""Helpers of the client that make many calls (`upload_and_poll`) are one call of the app: what they do is counted, not traced."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from ..apis.api import Route


@dataclass(slots=True, eq=False)
class HelperCall:
    """What one helper has done. Uploads come from threads of a pool, polls from the helper's own."""

    polls: int = 0
    uploads: list[str] = field(default_factory=list)  # appending is atomic

    def saw(self, route: Route, *, is_poll: bool) -> None:
        if is_poll:
            self.polls += 1
        elif route.uploads:
            self.uploads.append(route.operation)


CURRENT: ContextVar[HelperCall | None] = ContextVar("runspan-group", default=None)

current = CURRENT.get


def enter(group: HelperCall | None) -> Token[HelperCall | None]:
    return CURRENT.set(group)


def leave(token: Token[HelperCall | None]) -> None:
    with suppress(ValueError):  # closed in another context, where it was never entered
        CURRENT.reset(token)
