"""Texts that a stream told in pieces: needed where their message never comes whole.

| sent | holds |
|---|---|
| `response.output_text.delta` | a piece |
| `response.output_text.done`, `response.content_part.done` | the text of all its pieces; some servers send no pieces before it |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.fields import ident_of, member
from ...core.model import RunStep

_TEXT = "output_text"


def piece(delta: Any) -> tuple[str, str] | None:
    """(id of the message, text) of a typed event: the event is larger, and the app lets go of it."""
    id_, text = member(delta, "item_id"), member(delta, "delta")
    return (id_, text) if type(id_) is str and type(text) is str else None


def _whole(event: Any) -> Any:
    part = member(event, "part")
    return member(event if part is None or member(part, "type") != _TEXT else part, "text")


class TextPieces:
    """Keeps no more than `max_chars` of one stream."""

    def __init__(self, max_chars: int) -> None:
        self._left = max_chars
        self._texts: dict[str, list[str]] = {}  # by key of the message

    def take(self, delta: Any, key_of: Callable[[str], str | None]) -> None:
        if isinstance(delta, tuple):
            id_, text = delta
        else:
            id_, text = ident_of(member(delta, "item_id")), member(delta, "delta")
        key = key_of(id_) or id_
        if text is None:
            text = self._untold(key, _whole(delta))
        if isinstance(text, str):
            self._left -= len(text)
            if self._left >= 0:
                self._texts.setdefault(key, []).append(text)

    def _untold(self, key: str, whole: Any) -> str | None:
        """What the pieces did not tell of the text that they make up."""
        told = "".join(self._texts.get(key, ()))
        if not isinstance(whole, str) or told.endswith(whole):
            return None
        if whole.endswith(told):  # a stream that was resumed
            self._texts.pop(key, None)
        return whole

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
