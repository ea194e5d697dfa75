"""SpanData -> attributes, one pure module per convention. Two are always written, the others by a preset."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.model import SpanData
from ..core.redact import clean, cut
from . import genai, langfuse, mlflow, openinference, others
from .extra import NONE, Extra
from .genai import Value

EXTRAS: Mapping[str, Extra] = {  # by the name of the backend; one that is not here needs nothing more
    "langfuse": langfuse.EXTRA,
    "mlflow": mlflow.EXTRA,
    "phoenix": others.PHOENIX,
    "logfire": others.LOGFIRE,
}


def attributes_of(span: SpanData, max_chars: int, extra: Extra = NONE) -> dict[str, Value]:
    """What every backend gets, and what one of them wants more; each text fits into `max_chars` characters."""
    merged: dict[str, Value] = {}
    for convention in (openinference.attributes, genai.attributes, extra.attributes):
        merged.update(convention(span, max_chars))
    return {key: _sound(value, max_chars) for key, value in merged.items()}


def _sound(value: Value, max_chars: int) -> Value:
    """Names and ids come from servers, too: encodable and within the limit, like texts (which are fitted already)."""
    if isinstance(value, str):
        return cut(clean(value), max_chars)
    return [cut(clean(item), max_chars) for item in value] if isinstance(value, list) else value
