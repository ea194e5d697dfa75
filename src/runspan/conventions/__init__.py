"""SpanData -> attributes, one pure module per convention."""

from __future__ import annotations

from ..core.model import SpanData
from ..core.redact import clean, cut
from . import genai, openinference
from .genai import Value

_ALWAYS = (openinference.attributes, genai.attributes)


def attributes_of(span: SpanData, max_chars: int) -> dict[str, Value]:
    """What every backend gets; each text fits into `max_chars` characters."""
    merged: dict[str, Value] = {}
    for convention in _ALWAYS:
        merged.update(convention(span, max_chars))
    return {key: _sound(value, max_chars) for key, value in merged.items()}


def _sound(value: Value, max_chars: int) -> Value:
    """Names and ids come from servers, too: encodable and within the limit, like texts (which are fitted already)."""
    if isinstance(value, str):
        return cut(clean(value), max_chars)
    return [cut(clean(item), max_chars) for item in value] if isinstance(value, list) else value
