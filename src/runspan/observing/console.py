"""`console=True`: each trace drawn as a tree on standard output when it is over.

A trace is over when its root span and all spans that began in this process have ended, so a run that outlives the function that
created it is in the picture.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from ..guard import guarded

MAX_TRACES = 200  # watched at once; the oldest is forgotten
MAX_SPANS = 2_000  # of one trace


def draw(spans: Sequence[ReadableSpan]) -> None:
    """As trees on standard output."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    from ..viewer import decode, tree

    export: Any = encode_spans(spans)
    tree.render(decode.spans_of(export))


@dataclass(slots=True)
class _Trace:
    open: dict[int, Any] = field(default_factory=dict)  # span id -> weak reference
    has_root: bool = False
    spans: list[ReadableSpan] = field(default_factory=list)


class Console(SpanProcessor):
    """Watches a provider; `is_on` False makes it deaf, since processors can't be taken off."""

    def __init__(self) -> None:
        self.is_on = True
        self._lock = threading.RLock()  # a span may be collected anywhere
        self._printing = threading.RLock()
        self._traces: OrderedDict[int, _Trace] = OrderedDict()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self.is_on:
            of = span.context.trace_id, span.context.span_id
            with self._lock:
                trace = self._traces.setdefault(of[0], _Trace())
                trace.open[of[1]] = weakref.ref(span, lambda _: self._given_away(*of))
                if len(self._traces) > MAX_TRACES:
                    self._traces.popitem(last=False)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here. The SDK's own says nothing before 1.40, which reads as a flush that failed."""
        return True

    def on_end(self, span: ReadableSpan) -> None:
        with guarded("print a trace"):
            self._print(self._ended(span))

    def _given_away(self, trace_id: int, span_id: int) -> None:
        """A span that will never end: the run was handed off."""
        with guarded("print a trace"):
            with self._lock:
                trace = self._traces.get(trace_id)
                if trace is None or trace.open.pop(span_id, None) is None:
                    return
                over = self._over(trace_id, trace)
            self._print(over)

    def _print(self, over: _Trace | None) -> None:
        if over is not None:
            with self._printing:  # two traces may end at once
                draw(over.spans)

    def _ended(self, span: ReadableSpan) -> _Trace | None:
        """The trace, if this was the last of it."""
        trace_id = span.context.trace_id
        with self._lock:
            trace = self._traces.get(trace_id)
            if trace is None:
                return None
            trace.open.pop(span.context.span_id, None)
            trace.has_root |= span.parent is None or span.parent.is_remote
            if len(trace.spans) < MAX_SPANS:
                trace.spans.append(span)
            return self._over(trace_id, trace)

    def _over(self, trace_id: int, trace: _Trace) -> _Trace | None:
        is_over = self.is_on and trace.has_root and not trace.open
        return self._traces.pop(trace_id) if is_over else None
