"""Fields of decoded JSON, read so that nothing raises: what does not have the documented type counts as absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TypeGuard, TypeVar

import msgspec

Wire = Mapping[str, Any]
T = TypeVar("T")

# In seconds far away, in milliseconds long ago: what is larger counts smaller units.
MAX_STAMP = 100_000_000_000
MAX_INT = 2**53  # beyond it neither JSON nor OTLP carries a number safely
_NUMBERS = (int, float)  # made once: `int | float` would be made at each look


def text(wire: Wire, key: str) -> str | None:
    value = wire.get(key)
    return value if isinstance(value, str) else None


def text_in(wire: Wire, key: str, inner: str) -> str | None:
    """A text of the object under `key`."""
    value = wire.get(key)
    return text(value, inner) if isinstance(value, dict) else None


def ident(wire: Wire, key: str = "id") -> str:
    """An id; numbers are written out, and what is neither is none at all."""
    value = wire.get(key)
    return value if isinstance(value, str) else ident_of(value)


def ident_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    is_whole = isinstance(value, int) and type(value) is not bool and -MAX_INT < value < MAX_INT
    return str(value) if is_whole else ""


def number(wire: Wire, key: str) -> int | None:
    value = wire.get(key)
    return int(value) if is_number(value) else None


def count(wire: Wire, key: str) -> int | None:
    """A number of things, which some servers send as a text."""
    value = wire.get(key)
    if isinstance(value, str) and len(value) < 16 and value.isascii() and value.isdigit():
        value = int(value)
    return int(value) if is_number(value) and value > -1 else None  # -0.5 is 0


def real(wire: Wire, key: str) -> float | None:
    value = wire.get(key)
    return float(value) if is_number(value) else None


def is_number(value: Any) -> TypeGuard[float]:
    """The range is false for NaN and infinities, too."""
    return isinstance(value, _NUMBERS) and type(value) is not bool and -MAX_INT < value < MAX_INT


def moment(wire: Wire, key: str) -> float | None:
    """Seconds since the epoch. Servers also count in ms, us or ns, send numbers as texts, ISO dates, or 0 for "not yet"."""
    value = wire.get(key)
    if isinstance(value, str):
        value = _moment_of_text(value)
    if type(value) is bool or not isinstance(value, _NUMBERS) or not 0 < value < MAX_STAMP * 1_000**3:
        return None
    while value >= MAX_STAMP:
        value /= 1_000
    return value


def stamp(wire: Wire, key: str) -> int | None:
    """The same in whole seconds, as the API has it: some moment of [stamp, stamp + 1)."""
    value = moment(wire, key)
    return None if value is None else int(value)


def _moment_of_text(text: str) -> float | None:
    try:
        if text[:1].isdigit() and text[4:5] != "-":
            return float(text)
        at: datetime = msgspec.convert(text, datetime)
        return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, msgspec.ValidationError, OverflowError):
        return None


def flag(wire: Wire, key: str) -> bool | None:
    value = wire.get(key)
    return value if isinstance(value, bool) else None


def kind_of(wire: Wire, key: str) -> str | None:
    """A word, alone or as the `type` of an object."""
    return text(wire, key) or text_in(wire, key, "type")


def mapping(wire: Wire, key: str) -> Wire:
    value = wire.get(key)
    return value if isinstance(value, dict) else {}


def items(wire: Wire, key: str) -> Sequence[Wire]:
    value = wire.get(key)
    return [item for item in value if isinstance(item, dict)] if value and isinstance(value, list) else ()


def texts(wire: Wire, key: str) -> tuple[str, ...]:
    value = wire.get(key)
    return tuple(item for item in value if isinstance(item, str)) if value and isinstance(value, list) else ()


def first(wire: Wire, keys: tuple[str, ...], read: Callable[[Wire, str], T | None]) -> T | None:
    for key in keys:
        if wire.get(key) is not None and (value := read(wire, key)) is not None:
            return value
    return None


def member(obj: Any, name: str) -> Any:
    """Of a dict or a model of the client; None where it has none of that name."""
    return obj.get(name) if isinstance(obj, dict) else getattr(obj, name, None)


def without_nulls(value: Any) -> Any:
    """Newer clients fill in what the server left out, as null."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value
