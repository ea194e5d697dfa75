"""Values as compact JSON text: readable in every script, encodable, and valid however short it has to be.

Texts are cut inside the JSON until it fits, so a value never ends in the middle of a string.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .redact import clean, cut

Json = Any
MAX_LEVELS = 100  # of objects and lists in each other

_encode = msgspec.json.Encoder(enc_hook=str).encode


def dumps(value: Json) -> str:
    """Compact, readable in every script, and encodable as UTF-8."""
    try:
        whole = _encode(value)
        if b"null" in whole:  # perhaps of NaN or an infinity, which it writes so
            whole = _encode(_finite(value))
        return whole.decode()
    except (ValueError, TypeError):  # half a surrogate pair; a key that is no text
        text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), default=str)
        return clean(text)


def _finite(value: Json) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def loads(text: str | bytes) -> Json:
    """As `json.loads`, several times faster; what only that reads (NaN, half a surrogate pair) is left to it.

    Bytes that are no UTF-8 are replaced, as some clients do for their apps.

    Raises ValueError, also for what is nested so deep that Python's stack would end where it is walked through.
    """
    try:
        value = _decode(text)
    except (ValueError, msgspec.DecodeError):  # up to msgspec 0.20 the latter is no ValueError
        value = _loads_slowly(text)
    opened = map(text.count, "{[" if isinstance(text, str) else (b"{", b"["))  # type: ignore[arg-type]
    if sum(opened) > MAX_LEVELS and _is_deeper(value, MAX_LEVELS):
        raise ValueError("nested too deep")
    return value


def _loads_slowly(text: str | bytes) -> Json:
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        return json.loads(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def _is_deeper(value: Json, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
        ]
    return any(isinstance(inner, dict | list) for inner in level)


_decode = msgspec.json.Decoder().decode


def parsed(text: str | None) -> Json:
    """The value of a JSON text; a text that is none (models make mistakes) as it is."""
    try:
        return text and loads(text)
    except (ValueError, RecursionError):
        return text


def value_of(data: Any) -> Any:
    """What a JSON text, or its bytes, holds, None where it is none; anything else is its own value."""
    if not isinstance(data, str | bytes):
        return data
    try:
        return loads(data)
    except (ValueError, RecursionError):
        return None


def is_json(text: str) -> bool:
    """Whether it is a JSON object or list; a bare number or word is a text that happens to be JSON."""
    return text.lstrip()[:1] in ("{", "[") and not isinstance(parsed(text), str)


def fit_text(text: str, max_chars: int) -> str:
    """A text in at most `max_chars` characters; an object or list in JSON stays one, if anything of it fits."""
    if len(text) <= max_chars:
        return text
    value = parsed(text) if text.lstrip()[:1] in ("{", "[") else text
    fitted = None if isinstance(value, str) else fit(value, max_chars)
    return cut(text, max_chars) if fitted is None else fitted


def fit(value: list[Json] | dict[str, Json], max_chars: int) -> str | None:
    """JSON in at most `max_chars` characters: long texts are cut first, then the first items left out. None: nothing fits."""
    return fit_json(value, dumps(value), max_chars)


def fit_json(value: list[Json] | dict[str, Json], whole: str, max_chars: int) -> str | None:
    """`fit` for a value whose JSON is known already."""
    budget = max_chars
    while len(whole) > max_chars and budget > 32:
        budget //= 2
        whole = dumps(_cut_texts(value, budget))
    if len(whole) <= max_chars:
        return whole
    items = value if isinstance(value, list) else list(value.items())
    sizes = [
        len(dumps(_cut_texts(item if isinstance(value, list) else dict([item]), budget))) for item in items
    ]
    left, kept = max_chars - 2, 0
    for size in reversed(sizes):  # an item costs itself and a comma; a pair's braces pay for that
        left -= size + 1 if isinstance(value, list) else size - 1
        if left < -1:
            break
        kept += 1
    rest = items[len(items) - kept :]
    return dumps(_cut_texts(rest if isinstance(value, list) else dict(rest), budget)) if kept else None


def _cut_texts(value: Json, max_chars: int) -> Json:
    if isinstance(value, str):
        return cut(value, max_chars)
    if isinstance(value, Mapping):
        return {k: _cut_texts(v, max_chars) for k, v in value.items()}
    if isinstance(value, Sequence):
        return [_cut_texts(v, max_chars) for v in value]
    return value
