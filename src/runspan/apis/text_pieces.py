"""Texts that a stream told in pieces: needed where their message never comes whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ..core import ids

KeyOf = Callable[[str], "str | None"]  # id of a piece -> the message or step that it belongs to
TextsOf = Callable[[Any], Iterable[tuple[str, str]]]  # of one delta: (message id, text) for each piece
WholeOf = Callable[[Any], "tuple[str, str] | None"]  # (message id, text) of what has the text of all pieces


class TextPieces:
    """Takes the deltas of one stream, as dicts or models of the client; keeps no more of them than `max_chars`."""

    def __init__(self, texts_of: TextsOf, max_chars: int, *, whole_of: WholeOf = lambda _: None) -> None:
        self._texts_of = texts_of
        self._whole_of = whole_of
        self._left = max_chars
        self._texts: dict[str, list[str]] = {}  # by key of the message
        self._loose: list[tuple[str, str]] = []  # id and text of pieces of which no message is known

    def take(self, delta: Any, key_of: KeyOf) -> None:
        """A delta, or the (message id, text) that `Events.piece` gave for one."""
        if isinstance(delta, tuple):
            id_, text = delta
            self._keep(key_of(id_), id_, text)
        elif (whole := self._whole_of(delta)) is None:
            for id_, text in self._texts_of(delta):
                self._keep(key_of(id_), id_, text)
        else:
            id_, text = whole
            key = key_of(id_)
            if self._is_news(key, text):
                self._keep(key, id_, text)

    def _keep(self, key: str | None, id_: str, text: str) -> None:
        self._left -= len(text)
        if self._left < 0:
            return
        if key is None:
            self._loose.append((id_, text))
        else:
            self._texts.setdefault(key, []).append(text)

    def _is_news(self, key: str | None, whole: str) -> bool:
        """Whether the pieces told less than the text that they make up. Those of a stream that was resumed are its end: they go."""
        held: list[Any] = self._loose if key is None else self._texts.get(key, [])
        told = _end_of(
            reversed(held) if key is not None else (text for _, text in reversed(held)), len(whole)
        )
        if told.endswith(whole):
            return False
        if whole.endswith(told):
            self._left += len(told)
            held.clear()
        return True

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


def _end_of(from_the_last: Iterable[str], chars: int) -> str:
    """The text of pieces as far as more than `chars` of it are there, so that each whole text is looked at once."""
    taken: list[str] = []
    for piece in from_the_last:
        taken.append(piece)
        chars -= len(piece)
        if chars < 0:
            break
    return "".join(reversed(taken))
