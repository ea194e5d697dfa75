"""Arguments and results -> JSON text, bounded, at the moment of the call, so that later mutation does not show.

What cannot be shown goes by its type's name. Nothing here changes a value, reads an iterator, raises, or runs code of the app but
descriptors of its models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..core.jsontext import fit
from ..core.redact import CUT, Texts, cut
from .values import Walk

Shown = tuple[str, bool]  # a text, and whether it is JSON

_encode = msgspec.json.Encoder().encode

FAST_CHARS = 4_096  # of one text on the fast path


class Capture:
    """`texts` are the owner's wishes about content, `max_chars` is what one attribute may hold."""

    __slots__ = ("_fast_chars", "_is_free", "_max_chars", "texts")

    def __init__(self, texts: Texts, max_chars: int) -> None:
        self.texts = texts
        self._max_chars = max_chars
        self._is_free = texts.redact is None  # nobody wants to see each text
        self._fast_chars = min(FAST_CHARS, texts.max_chars, max_chars)

    def arguments(self, given: Mapping[str, Any]) -> Shown | None:
        """Bound arguments (secrets masked already) as a JSON object; None for none."""
        if not given:
            return None
        if self._is_free and self._are_flat(given):
            try:
                whole = _encode(given).decode()
            except Exception:  # lone surrogates
                whole = ""
            if 0 < len(whole) <= self._max_chars:
                return whole, True
        return self.dumps(self.plain("input", dict(given))), True

    def value(self, kind: str, value: Any) -> Shown:
        """The text, and whether it is JSON; a string stays as it is. `kind` is `input` or `output`."""
        if type(value) is str:
            if self._is_free and len(value) <= self._fast_chars and value.isascii() and value[:5] != "data:":
                return value, False
            walk = Walk(self.texts, kind, self._max_chars)
            return cut(walk.text(value) or "", self._max_chars), False
        return self.dumps(self.plain(kind, value)), True

    def attributes(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Attributes that the app names and fills itself: as they are, but for the redactor."""
        return given if self._is_free else {key: self._attribute(value) for key, value in given.items()}

    def _attribute(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.texts.word("attribute", value) or CUT
        return [self._attribute(one) for one in value] if isinstance(value, list | tuple) else value

    def plain(self, kind: str, value: Any) -> Any:
        """`value` as JSON would hold it, bounded."""
        return Walk(self.texts, kind, self._max_chars).plain(value)

    def dumps(self, plain: Any) -> str:
        """JSON of what `plain` gave, within the limit."""
        whole = _encode(plain).decode()
        if len(whole) <= self._max_chars:
            return whole
        return fit(plain if isinstance(plain, list | dict) else [plain], self._max_chars) or "null"

    def _are_flat(self, given: Mapping[str, Any]) -> bool:
        """Scalars and shortish texts: nothing to look into, nothing to cut."""
        for value in given.values():
            kind = type(value)  # compared by identity: a metaclass may have an `__eq__` of its own
            if kind is str:
                if len(value) > self._fast_chars or value[:5] == "data:":
                    return False
            elif kind is float:
                if value - value != 0:  # not finite
                    return False
            elif kind is int:
                if not -(1 << 53) < value < 1 << 53:
                    return False
            elif value is not None and kind is not bool:
                return False
        return True
