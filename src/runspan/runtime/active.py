"""The `instrument()` that is on, for the app's own spans: `active.now`, or None.

`setup.py` puts it there, `observing/` reads it at each call; neither imports the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import SpanContext

from ..config import Config
from ..conventions.extra import NONE, Extra
from ..core.redact import Texts
from .pending import Claimable, Key

MAX_TRACES = 10_000  # whose first span is remembered


@dataclass(slots=True, eq=False)
class Active:
    """What spans of the app's own functions need. One per `instrument()`, and a new one in a forked child."""

    config: Config
    texts: Texts
    provider: Callable[[], Any]  # the TracerProvider of a span that begins now
    runs: Mapping[Key, Claimable]  # the runs that live
    ended: Callable[[str], Any]  # run id -> SpanContext of its span, while that is remembered
    custody: Any  # runs that come from other processes and go there
    extra: Extra = NONE  # what the backend of the preset wants more
    page: str | None = None  # where it shows a trace, with {trace_id} in it
    targets: dict[int, Any] = field(default_factory=dict)  # kept by observing/, by id of the provider
    traces: dict[int, int] = field(default_factory=dict)  # trace id -> id of our first span in it
    _order: deque[int] = field(default_factory=deque)  # of the traces
    is_forgotten: bool = False  # of the parent process: its open spans are the parent's to end

    def note_trace(self, own: SpanContext) -> None:
        """For scores that name only the trace."""
        if own.trace_id not in self.traces:
            self.traces[own.trace_id] = own.span_id
            self._order.append(own.trace_id)
            if len(self._order) > MAX_TRACES:
                self.traces.pop(self._order.popleft(), None)


now: Active | None = None
