"""The pieces of texts in `thread.message.delta` events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.fields import ident_of, member


def piece(delta: Any) -> tuple[str, str] | None:
    """(message id, text) of a delta with one block of text, as nearly all have: models are larger, and the app lets go of them."""
    try:
        (block,) = delta.delta.content
        id_, text = delta.id, block.text.value
    except (AttributeError, TypeError, ValueError):
        return None
    return (id_, text) if type(id_) is str and type(text) is str and text else None


def texts_of(delta: Any) -> Iterator[tuple[str, str]]:
    """(message id, text) for each piece of a text or a refusal."""
    if isinstance(delta, tuple):
        yield delta
        return
    id_, content = ident_of(member(delta, "id")), member(member(delta, "delta"), "content")
    for block in content if isinstance(content, list) else ():
        for value in (member(member(block, "text"), "value"), member(block, "refusal")):
            if isinstance(value, str) and value:
                yield id_, value
