"""One walk through a value, within bounds: so many values, so many characters, so deep, no cycle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from ..core.redact import CUT, Texts, cut
from ..core.secrets import MASKED
from .names import is_secret

MAX_NODES = 1_000  # values of one argument list or result
MAX_DEPTH = 8
MAX_ITEMS = 200  # of one container
MAX_KEY_CHARS = 256
MAX_HASHED = 1_000_000

Convert = Callable[["Walk", Any, int], Any]


class Walk:
    """One capture: what is left of its bounds, and the containers it is inside of."""

    __slots__ = ("_chars", "_converter", "_kind", "_nodes", "_path", "_texts")

    def __init__(self, converter: Callable[[type], Convert], texts: Texts, kind: str, max_chars: int) -> None:
        self._converter = converter  # type -> what makes plain values of its values
        self._texts = texts
        self._kind = kind
        self._chars = max_chars
        self._nodes = MAX_NODES
        self._path: set[int] = set()

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Plain values only: None, bool, int, float, str, list, dict with string keys."""
        if self._nodes <= 0:
            return CUT
        self._nodes -= 1
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self.text(value)
        try:
            return self._converter(kind)(self, value, depth)
        except Exception:
            return by_type(kind)

    def text(self, value: str) -> str | None:
        """As it may go out; what is left of the bounds decides how long."""
        if value.startswith("data:"):
            value = data_url(value)
        bound = min(self._texts.max_chars, max(self._chars, 16))
        if self._texts.redact is None:
            kept = cut(value, bound)
            kept = kept if kept.isascii() else kept.encode("utf-8", "replace").decode()
        else:
            whole = self._texts.redacted(self._kind, value, bound)
            if whole is None:
                return None
            kept = cut(whole, bound)
        self._chars -= len(kept)
        return kept

    def items(self, value: Any, items: Iterable[Any], size: int, depth: int) -> Any:
        """A list, its cut marked."""
        if depth >= MAX_DEPTH or id(value) in self._path:
            return by_type(type(value))
        self._path.add(id(value))
        shown = [self.plain(item, depth + 1) for item in islice(items, min(MAX_ITEMS, self._nodes + 1))]
        self._path.discard(id(value))
        if size > len(shown):
            shown.append(f"{CUT} {size - len(shown)} more")
        return shown

    def pairs(self, value: Any, pairs: Iterable[tuple[Any, Any]], size: int, depth: int) -> Any:
        """An object, its cut marked; values under secret names are masked."""
        if depth >= MAX_DEPTH or id(value) in self._path:
            return by_type(type(value))
        self._path.add(id(value))
        shown: dict[str, Any] = {}
        for key, item in list(islice(pairs, min(MAX_ITEMS, self._nodes + 1))):
            name = self._key(key)
            shown[name] = MASKED if is_secret(name) else self.plain(item, depth + 1)
        self._path.discard(id(value))
        if size > len(shown):
            shown[CUT] = f"{size - len(shown)} more"
        return shown

    def _key(self, key: Any) -> str:
        if type(key) is not str:
            key = str(self.plain(key, MAX_DEPTH - 1))
        elif self._texts.redact is not None:
            key = self._texts.redacted(self._kind, key[:MAX_KEY_CHARS]) or CUT
        key = cut(key, MAX_KEY_CHARS)
        self._chars -= len(key)
        return str(key) if key.isascii() else key.encode("utf-8", "replace").decode()


def by_type(kind: type) -> str:
    """A value by its type alone."""
    module, name = type.__getattribute__(kind, "__module__"), type.__getattribute__(kind, "__qualname__")
    if type(module) is not str or module == "builtins":
        return f"<{name[:MAX_KEY_CHARS]}>"
    return f"<{module[:MAX_KEY_CHARS]}.{name[:MAX_KEY_CHARS]}>"


def data_url(url: str) -> str:
    """An inline file by type, size and hash."""
    head, comma, _ = url[:200].partition(",")
    if not comma or not head.endswith(";base64"):
        return url
    size = len(url) - len(head) - 1
    digest = (
        f", sha256 {hashlib.sha256(url[len(head) + 1 :].encode('utf-8', 'replace')).hexdigest()[:16]}"
        if size <= MAX_HASHED
        else ""
    )
    return f"<{head[5:-7] or 'data'}, {size} base64 characters{digest}>"
