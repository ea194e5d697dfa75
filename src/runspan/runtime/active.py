"""The `instrument()` that is on, for the app's own spans: `active.now`, or None.

`setup.py` puts it there, `observing/` reads it at each call; neither imports the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import SpanContext

from ..config import Config
from ..conventions.backend_attributes import NONE, BackendAttributes
from ..core.redact import Texts
from .recent import Recent
from .registry import RunRegistry

MAX_TRACES = 10_000  # whose first span is remembered


@dataclass(slots=True, eq=False)
class Active:
    """What spans of the app's own functions need. One per `instrument()`, and a new one in a forked child."""

    config: Config
    texts: Texts
    provider: Callable[[], Any]  # the TracerProvider of a span that begins now
    registry: RunRegistry
    handoffs: Any  # runs that come from other processes and go there
    extra: BackendAttributes = NONE  # what the backend of the preset wants more
    page: str | None = None  # where it shows a trace, with {trace_id} in it
    targets: dict[int, Any] = field(default_factory=dict)  # kept by observing/, by id of the provider
    # Trace id -> id of our first span in it.
    traces: Recent[int, int] = field(default_factory=lambda: Recent(MAX_TRACES))
    is_forgotten: bool = False  # of the parent process: its open spans are the parent's to end

    def note_trace(self, own: SpanContext) -> None:
        """For scores that name only the trace."""
        if self.traces.get(own.trace_id) is None:
            self.traces.put(own.trace_id, own.span_id)


now: Active | None = None
