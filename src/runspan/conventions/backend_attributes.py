"""What one backend reads beyond the set that all get. A preset switches it on (`backend=`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from ..core.jsontext import dumps
from ..core.model import SpanData
from ..core.redact import clean
from .genai import Found, Value

MAX_KEYS = 64  # of metadata; the API has 16. The SDK keeps 128 attributes of a span, and drops the first for the last


@dataclass(frozen=True, slots=True)
class BackendAttributes:
    """`attributes(span, max_chars)` is for spans of runs and calls; the rest for the app's own spans and `runspan.context`."""

    attributes: Callable[[SpanData, int], Found] = lambda _span, _max_chars: {}
    # Kind of an observed span -> attributes.
    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    twins: Mapping[str, str] = field(default_factory=dict)  # our attribute -> the backend's name for it
    metadata: str | None = None  # prefix of one attribute per key: metadata of one span ...
    trace_metadata: str | None = None  # ... and of the whole trace

    def of_context(self, said: Mapping[str, Value], metadata: Mapping[str, object]) -> dict[str, Value]:
        """For what `runspan.context` said (as attributes already) and its metadata (plain values)."""
        found = {twin: said[name] for name, twin in self.twins.items() if name in said}
        return {**found, **each(self.trace_metadata, metadata)}

    def of_metadata(self, metadata: Mapping[str, object]) -> dict[str, Value]:
        """For the metadata of one span (plain values)."""
        return each(self.metadata, metadata)


def each(prefix: str | None, metadata: Mapping[str, object]) -> dict[str, Value]:
    """One attribute per key; keys come from servers and apps, and must be encodable as well."""
    if prefix is None or not isinstance(metadata, Mapping):  # what could not be shown is a text
        return {}
    known = ((key, value) for key, value in metadata.items() if value is not None)
    return {
        f"{prefix}.{clean(key)}": value if isinstance(value, str) else dumps(value)
        for key, value in islice(known, MAX_KEYS)
    }


NONE = BackendAttributes()
