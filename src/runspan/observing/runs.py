"""The span of a Run, live or over; and the page on which the backend shows its trace."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext

from ..guard import guarded
from ..runtime import active, otel_context
from ..runtime.active import Active


def span_of_run(state: Active, run_id: str) -> trace.Span | None:
    """None: not of this process, or forgotten."""
    run = state.registry.of_run(run_id)
    if run is not None:
        live: trace.Span = run.live.span
        return live
    ended: SpanContext | None = state.registry.ended.peek(run_id)
    return None if ended is None else NonRecordingSpan(ended)


def trace_url(run_id: str | None = None) -> str | None:
    """Return the address of the page on which the backend shows a trace.

    Args:
        run_id: A run of this process. Default: the current trace.

    Returns:
        The address; the spans arrive there some seconds later. None if the preset (`backend=`) knows no page, or if there is
            no such trace: it is not sampled, not of this process, or ended long ago.
    """
    state = active.now
    if state is None or state.page is None:
        return None
    with guarded("find the page of a trace"):
        span = (
            trace.get_current_span(otel_context.current()) if run_id is None else span_of_run(state, run_id)
        )
        context = span.get_span_context() if span is not None else trace.INVALID_SPAN_CONTEXT
        if context.is_valid and context.trace_flags.sampled:
            return state.page.replace("{trace_id}", trace.format_trace_id(context.trace_id))
    return None
