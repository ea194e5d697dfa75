"""Texts that a stream told in pieces, out of `thread.message.delta` events: needed where the message itself never comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ...core import ids
from ...core.fields import ident_of, member


class MessageDeltas:
    """Takes the deltas of one stream, as dicts or models of the client; keeps no more of them than `max_chars`."""

    def __init__(self, max_chars: int) -> None:
        self._left = max_chars
        self._texts: dict[str, list[str]] = {}  # by key of the message
        self._loose: list[tuple[str, str]] = []  # id and text of pieces of which no message is known

    def take(self, delta: Any, key_of: Callable[[str], str | None]) -> None:
        """`key_of(id)`: the message that a piece under this id belongs to."""
        for id_, text in texts_of(delta):
            self._left -= len(text)
            if self._left >= 0:
                key = key_of(id_)
                if key is None:
                    self._loose.append((id_, text))
                else:
                    self._texts.setdefault(key, []).append(text)

    def ended(self, key: str) -> None:
        """The message itself came, whole, and what was told before it was its own."""
        self._texts.pop(key, None)
        self._loose.clear()

    def texts(self) -> dict[str, str]:
        """What is left, by key. Pieces of which each has an id of its own are one text."""
        found = {key: "".join(pieces) for key, pieces in self._texts.items()}
        counts = Counter(id_ for id_, _ in self._loose)
        is_one = len(counts) == len(self._loose)
        for id_, text in self._loose:
            key = ids.numbered("", 0) if is_one else id_
            found[key] = found.get(key, "") + text
        return found


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
