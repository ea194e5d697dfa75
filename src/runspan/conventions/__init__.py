"""SpanData -> attributes, one pure module per convention. Two are always written, the others by a preset."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from ..core.model import SpanData
from ..core.redact import clean, cut
from . import genai, langfuse, mlflow, openinference, others
from .backend_attributes import NONE, BackendAttributes
from .genai import Value

# By the name of the backend; one that is not here needs nothing more.
EXTRAS: Mapping[str, BackendAttributes] = {
    "langfuse": langfuse.EXTRA,
    "mlflow": mlflow.EXTRA,
    "phoenix": others.PHOENIX,
    "logfire": others.LOGFIRE,
}


def attributes_of(
    span: SpanData, max_chars: int, extra: BackendAttributes = NONE, max_span_chars: int | None = None
) -> dict[str, Value]:
    """What every backend gets, and what one of them wants more; each text fits into `max_chars` characters.

    All together fit into `max_span_chars`: the longest are cut to one length, the others stay as they are.
    """
    found, chars = _attributes(span, max_chars, extra)
    if max_span_chars is not None and chars > max_span_chars:
        sizes = sorted(len(value) for value in found.values() if isinstance(value, str))
        found, _ = _attributes(span, _level(sizes, max_span_chars), extra)
    return found


def _level(sizes: list[int], total: int) -> int:
    """The most characters that each may have so that all have `total`; `sizes` are the shortest first, and too long together.

    With some of the shortest left whole, the others share the rest; leaving one whole that is longer than its share, or cutting one
    that is not, makes the share smaller.
    """
    whole = accumulate(sizes[:-1], initial=0)
    return max((total - kept) // (len(sizes) - count) for count, kept in enumerate(whole))


def _attributes(span: SpanData, max_chars: int, extra: BackendAttributes) -> tuple[dict[str, Value], int]:
    """And how many characters its texts have."""
    known = openinference.found(span, max_chars) | genai.found(span, max_chars)
    if extra is not NONE:
        known |= extra.attributes(span, max_chars)
    found: dict[str, Value] = {}
    chars = 0
    for key, value in known.items():
        if value is None:
            continue
        # Names and ids come from servers, too: encodable and within the limit, like texts (which are fitted already).
        if isinstance(value, str):
            if len(value) > max_chars or not value.isascii():
                value = cut(clean(value), max_chars)
            chars += len(value)
        elif isinstance(value, list):
            value = _fitted(value, max_chars)
        found[key] = value
    return found, chars


def _fitted(items: list[str], max_chars: int) -> list[str]:
    """The first of them that fit together."""
    kept, left = [], max_chars
    for item in items:
        whole = cut(clean(item), max_chars)
        left -= len(whole)
        if left < 0:
            break
        kept.append(whole)
    return kept
