"""Any Python value -> plain JSON values, within bounds. One row per kind of value; types without a row go by their name.

Only built-in iteration is used, on built-in containers and their subclasses: an app's own `__iter__`, `__len__`, `__repr__`,
`__str__` or `items` may be slow, lazy or wrong, and is never called.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import hashlib
import ipaddress
import pathlib
import re
import types
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any
from weakref import WeakKeyDictionary

from ..core.redact import CUT, Texts, cut
from ..core.secrets import MASKED

MAX_NODES = 1_000  # values of one argument list or result
MAX_DEPTH = 8
MAX_ITEMS = 200  # of one container
MAX_KEY_CHARS = 256
MAX_HASHED = 1_000_000
MAX_SHOWN_BYTES = 256

Convert = Callable[["Walk", Any, int], Any]


class Walk:
    """One capture: what is left of its bounds, and the containers it is inside of."""

    __slots__ = ("_chars", "_kind", "_nodes", "_path", "_texts")

    def __init__(self, texts: Texts, kind: str, max_chars: int) -> None:
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
            return converter(kind)(self, value, depth)
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
    digest = _digest(url[-size:].encode("utf-8", "replace")) if 0 < size <= MAX_HASHED else ""
    return f"<{head[5:-7] or 'data'}, {size} base64 characters{digest}>"


def _digest(data: Any) -> str:
    return f", sha256 {hashlib.sha256(data).hexdigest()[:16]}"


# ---------------------------------------------------------------- names

_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "apikey", "authorization"}
    | {"bearer", "credential", "credentials", "cookie", "cookies"}
)
_SECRET_PAIRS = frozenset((kind, "key") for kind in ("api", "private", "access", "signing", "encryption"))
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@lru_cache(maxsize=4_096)
def is_secret(name: str) -> bool:
    """Whether what is called so must not be seen: `api_key`, `clientSecret`; not `max_tokens`, `key`."""
    words = [word.lower() for word in _WORDS.findall(name[:MAX_KEY_CHARS])]
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))


# ---------------------------------------------------------------- scalars


def _int(walk: Walk, value: Any, _: int) -> Any:
    number = int.__add__(value, 0)
    if -(1 << 63) <= number < 1 << 63:
        return number
    bits = number.bit_length()
    return walk.text(str(number)) if bits <= 1_024 else f"<int of {bits} bits>"


def _float(_: Walk, value: Any, __: int) -> Any:
    number = float.__add__(value, 0.0)
    return number if number - number == 0 else float.__repr__(number)


def _bytes(walk: Walk, value: Any, _: int) -> Any:
    size = value.nbytes if isinstance(value, memoryview) else len(value)
    if size <= MAX_SHOWN_BYTES:
        try:
            return walk.text(bytes(value).decode())
        except UnicodeDecodeError:
            pass
    digest = _digest(value) if size <= MAX_HASHED else ""
    return f"<{type(value).__name__} of {size}{digest}>"


def _iso(walk: Walk, value: Any, _: int) -> Any:
    return walk.text(value.isoformat())


def _as_str(walk: Walk, value: Any, _: int) -> Any:
    return walk.text(str(value))


def _enum(walk: Walk, value: Any, depth: int) -> Any:
    return walk.plain(value._value_, depth + 1) if depth < MAX_DEPTH else value._name_


# ---------------------------------------------------------------- containers


def _dict(walk: Walk, value: Any, depth: int) -> Any:
    return walk.pairs(value, dict.items(value), dict.__len__(value), depth)


def _proxy(walk: Walk, value: Any, depth: int) -> Any:
    return _dict(walk, value | {}, depth) if len(value) <= MAX_ITEMS else by_type(type(value))


def _tuple(walk: Walk, value: Any, depth: int) -> Any:
    size, names = tuple.__len__(value), getattr(type(value), "_fields", None)
    if isinstance(names, tuple) and len(names) == size:
        return walk.pairs(value, zip(names, tuple.__iter__(value), strict=False), size, depth)
    return walk.items(value, tuple.__iter__(value), size, depth)


def _set(walk: Walk, value: Any, depth: int) -> Any:
    base: Any = set if isinstance(value, set) else frozenset
    return walk.items(value, base.__iter__(value), base.__len__(value), depth)


# ---------------------------------------------------------------- things with fields


def _pydantic(walk: Walk, value: Any, depth: int) -> Any:
    """Fields the model itself hides (`exclude`, `repr=False`) stay hidden; what was not set is left out."""
    fields = getattr(type(value), "__pydantic_fields__", None) or getattr(type(value), "__fields__", {})
    held = object.__getattribute__(value, "__dict__")
    extra = getattr(value, "__pydantic_extra__", None) or {}
    hidden = {name for name, field in fields.items() if _is_hidden(field)}
    chosen = [(name, item) for name, item in {**held, **extra}.items() if name not in hidden]
    return walk.pairs(value, chosen, len(chosen), depth)


def _is_hidden(field: Any) -> bool:
    info = getattr(field, "field_info", field)  # pydantic 1 has it one deeper
    return bool(getattr(info, "exclude", None)) or getattr(info, "repr", True) is False


def _fields(names_of: Callable[[Any], Iterable[str]]) -> Convert:
    """Of classes that name their fields."""

    def convert(walk: Walk, value: Any, depth: int) -> Any:
        names = names_of(type(value))
        held = [(name, object.__getattribute__(value, name)) for name in names if _has(value, name)]
        return walk.pairs(value, held, len(held), depth)

    return convert


def _has(value: Any, name: str) -> bool:
    try:
        object.__getattribute__(value, name)
    except AttributeError:
        return False
    return True


def _error(walk: Walk, value: Any, depth: int) -> Any:
    args = BaseException.__dict__["args"].__get__(value)
    return {"type": type(value).__qualname__, "args": walk.plain(args, depth + 1)}


def _array(walk: Walk, value: Any, depth: int) -> Any:
    """Arrays, tensors and frames by their shape; a scalar of theirs by its value."""
    kind = type(value)
    shape = tuple(int(n) for n in islice(value.shape, 16))
    if not shape and hasattr(kind, "item"):
        return walk.plain(value.item(), depth + 1)
    said = f"{kind.__name__} shape={shape}"
    if hasattr(kind, "columns"):
        columns = ", ".join(str(c) for c in islice(value.columns, 20))
        return walk.text(f"<{said} columns=[{cut(columns, 500)}]>")
    return f"<{said} dtype={str(value.dtype)[:64]}>"


def _function(_: Walk, value: Any, __: int) -> Any:
    return f"<function {value.__qualname__}>"


def _name(_: Walk, value: Any, __: int) -> Any:
    return by_type(type(value))


# ---------------------------------------------------------------- the table

_ROWS: Mapping[type, Convert] = {
    enum.Enum: _enum,
    bool: lambda _, value, __: bool(value),
    int: _int,
    float: _float,
    str: lambda walk, value, _: walk.text(str.__str__(value)),
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    dict: _dict,
    types.MappingProxyType: _proxy,
    list: lambda walk, value, depth: walk.items(value, list.__iter__(value), list.__len__(value), depth),
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    deque: lambda walk, value, depth: walk.items(value, deque.__iter__(value), deque.__len__(value), depth),
    datetime.date: _iso,
    datetime.time: _iso,
    datetime.timedelta: _as_str,
    decimal.Decimal: _as_str,
    fractions.Fraction: _as_str,
    complex: _as_str,
    uuid.UUID: _as_str,
    range: _as_str,
    ipaddress.IPv4Address: _as_str,
    ipaddress.IPv6Address: _as_str,
    pathlib.PurePath: _as_str,
    re.Pattern: lambda walk, value, _: walk.plain(value.pattern, MAX_DEPTH),
    BaseException: _error,
    type: lambda _, value, __: by_type(value),
    types.FunctionType: _function,
    types.BuiltinFunctionType: _function,
}
# Things known by what their class has, first match first.
_BY_ATTRIBUTE: tuple[tuple[str, Convert], ...] = (
    ("get_secret_value", _name),
    ("__pydantic_fields__", _pydantic),
    ("__struct_fields__", _fields(lambda kind: kind.__struct_fields__)),
    ("__attrs_attrs__", _fields(lambda kind: [a.name for a in kind.__attrs_attrs__ if a.repr])),
    ("__dataclass_fields__", _fields(lambda kind: [f.name for f in dataclasses.fields(kind) if f.repr])),
)
_known: WeakKeyDictionary[type, Convert] = WeakKeyDictionary()


def converter(kind: type) -> Convert:
    """The row of a type, or the one that goes by its name."""
    row = _ROWS.get(kind) or _known.get(kind)
    if row is None:
        row = _known[kind] = next(_rows_of(kind), _name)
    return row


def _rows_of(kind: type) -> Iterator[Convert]:
    mro = type.__dict__["__mro__"].__get__(kind)
    if enum.Enum in mro:
        yield _enum
    held = {name for base in mro for name in vars(base)}
    yield from (row for name, row in _BY_ATTRIBUTE if name in held)
    yield from (_ROWS[base] for base in mro if base in _ROWS)
    if "shape" in held and ("dtype" in held or "columns" in held):
        yield _array
    if "__fields__" in held and "__validators__" in held:  # pydantic 1
        yield _pydantic
