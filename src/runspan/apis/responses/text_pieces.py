"""Texts that a stream told in pieces: needed where their message never comes whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.fields import ident_of, member
from ...core.model import RunStep


def piece(delta: Any) -> tuple[str, str] | None:
    """(id of the message, text) of a typed event: the event is larger, and the app lets go of it."""
    id_, text = member(delta, "item_id"), member(delta, "delta")
    return (id_, text) if type(id_) is str and type(text) is str else None


class TextPieces:
    """Keeps no more than `max_chars` of one stream."""

    def __init__(self, max_chars: int) -> None:
        self._left = max_chars
        self._texts: dict[str, list[str]] = {}  # by key of the message

    def take(self, delta: Any, key_of: Callable[[str], str | None]) -> None:
        id_, text = (
            delta
            if isinstance(delta, tuple)
            else (ident_of(member(delta, "item_id")), member(delta, "delta"))
        )
        if isinstance(text, str):
            self._left -= len(text)
            if self._left >= 0:
                self._texts.setdefault(key_of(id_) or id_, []).append(text)

    def ended(self, key: str) -> None:
        """The message itself came, whole."""
        self._texts.pop(key, None)

    def texts(self) -> dict[str, str]:
        return {key: "".join(pieces) for key, pieces in self._texts.items()}


class NoSteps:
    """A step comes whole when it ends; what it was asked stands in the event that begins it."""

    def __init__(self, max_chars: int) -> None: ...

    def take(self, delta: Any, key_of: Callable[[str], str | None]) -> None: ...

    def ended(self, key: str) -> None: ...

    def steps(self, *, is_cut: bool) -> tuple[RunStep, ...]:
        return ()
