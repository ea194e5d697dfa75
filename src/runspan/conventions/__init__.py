"""SpanData -> attributes, one pure module per convention."""

from __future__ import annotations

from ..core.model import SpanData
from . import genai, openinference
from .genai import Value

_ALWAYS = (openinference.attributes, genai.attributes)


def attributes_of(span: SpanData, max_chars: int) -> dict[str, Value]:
    """What every backend gets; each text fits into `max_chars` characters."""
    merged: dict[str, Value] = {}
    for convention in _ALWAYS:
        merged.update(convention(span, max_chars))
    return merged
