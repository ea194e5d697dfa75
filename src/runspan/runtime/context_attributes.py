"""What `runspan.context(...)` gave, carried in the OpenTelemetry Context to every span below, runs and calls included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..conventions.genai import Value

KEY = "runspan-context"  # in the OpenTelemetry Context


@dataclass(frozen=True, slots=True)
class ContextAttributes:
    """The values, and the attributes they are on a span (texts redacted already)."""

    attributes: Mapping[str, Value] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    trace_name: str | None = None  # names a root span


def of(context: Mapping[str, object]) -> ContextAttributes | None:
    found = context.get(KEY)
    return found if isinstance(found, ContextAttributes) else None
