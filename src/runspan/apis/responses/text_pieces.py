"""The pieces of texts in a stream of a response.

| sent | holds |
|---|---|
| `response.output_text.delta` | a piece |
| `response.output_text.done`, `response.content_part.done` | the text of all its pieces; some servers send no pieces before it |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.fields import ident_of, member

_TEXT = "output_text"


def piece(delta: Any) -> tuple[str, str] | None:
    """(id of the message, text) of a typed event: the event is larger, and the app lets go of it."""
    id_, text = member(delta, "item_id"), member(delta, "delta")
    return (id_, text) if type(id_) is str and type(text) is str else None


def texts_of(delta: Any) -> Iterator[tuple[str, str]]:
    """(message id, text) of a delta; none where it has no text."""
    if isinstance(delta, tuple):
        yield delta
        return
    text = member(delta, "delta")
    if isinstance(text, str):
        yield ident_of(member(delta, "item_id")), text


def whole_of(event: Any) -> tuple[str, str] | None:
    """(message id, text) of an event that holds the text of all pieces."""
    if isinstance(event, tuple) or member(event, "delta") is not None:
        return None
    part = member(event, "part")
    text = member(event if part is None or member(part, "type") != _TEXT else part, "text")
    return (ident_of(member(event, "item_id")), text) if isinstance(text, str) else None
