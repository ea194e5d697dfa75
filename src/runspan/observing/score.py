"""`runspan.score`: feedback on a run or a trace, as the conventions' evaluation event; and the page of a trace."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags

from ..conventions import genai
from ..conventions import observed as words
from ..core.redact import CUT
from ..guard import guarded, logger
from ..runtime import active
from ..runtime.active import Active
from ..runtime.content_event import emitted
from .spans import current_context, target_of


def score(
    name: str,
    value: float | bool | str,
    *,
    comment: str | None = None,
    run_id: str | None = None,
    trace_id: str | None = None,
) -> None:
    """Record feedback about a run, a trace, or the current span. It works hours later, and in another process.

    ```python
    runspan.score("helpful", True, run_id="run_abc123", comment="thumbs up")
    ```

    It is exported as the event `gen_ai.evaluation.result`: a log record if the app has a LoggerProvider; else an event of the
    span, while the span is open; else an event of a new small span that is linked to it. If this process does not know the
    trace, the small span has the trace's id in `runspan.score.trace_id`.

    Args:
        name: What was judged.
        value: A number, True or False, or a label.
        comment: Why. It is content.
        run_id: The run that was judged.
        trace_id: The trace that was judged, 32 hex digits. Without `run_id` and `trace_id`, the current span is.
    """
    state = active.now
    if state is None:
        return
    with guarded("record a score"):
        about = _about(state, run_id, trace_id)
        said = _said(state, name, value, comment, run_id)
        now_ns = time.time_ns()
        context = Context() if about is None else trace.set_span_in_context(about, Context())
        if emitted(words.EVALUATION, said, context, now_ns, observed_ns=now_ns):
            return
        if about is not None and about.is_recording():
            about.add_event(words.EVALUATION, said)
        else:
            _span(state, str(said[words.EVALUATION_NAME]), said, about)


def _about(state: Active, run_id: str | None, trace_id: str | None) -> trace.Span | None:
    """The span it is about, open or not. Its span id is 0 where only the trace is known."""
    of_run = None if run_id is None else _span_of_run(state, run_id)
    if of_run is not None:
        return of_run
    here = trace.get_current_span(current_context())
    if trace_id is None:
        return here if run_id is None and here.get_span_context().is_valid else None
    try:
        number = int(trace_id, 16)
    except ValueError:
        logger.warning("runspan: score(trace_id=...) takes 32 hex digits, as current_trace_id() gives them.")
        return None
    if here.get_span_context().trace_id == number:
        return here
    span_id = state.traces.get(number) or 0
    return NonRecordingSpan(SpanContext(number, span_id, True, TraceFlags(TraceFlags.SAMPLED)))


def _said(
    state: Active, name: str, value: float | bool | str, comment: str | None, run_id: str | None
) -> dict[str, Any]:
    texts = target_of(state, current_context()).capture.texts
    said: dict[str, Any] = {words.EVALUATION_NAME: texts.word("name", name) or CUT}
    if isinstance(value, str):
        said[words.SCORE_LABEL] = texts.word("label", value) or CUT
    else:
        said[words.SCORE_VALUE] = float(value)
        if isinstance(value, bool):
            said[words.SCORE_LABEL] = str(value).lower()
    if (kept := texts.keep("comment", comment)) is not None:
        said[words.EXPLANATION] = kept
    if run_id is not None:
        said[genai.RESPONSE_ID] = run_id
    return said


def _span(state: Active, name: str, said: dict[str, Any], about: trace.Span | None) -> None:
    """A trace of its own: the scored one may be long over, and hours away."""
    of = about.get_span_context() if about is not None else None
    if of is not None and of.trace_id and not of.span_id:  # a link must name a span
        said = {**said, words.SCORED_TRACE: trace.format_trace_id(of.trace_id)}
    span = target_of(state, current_context()).tracer.start_span(
        f"score {name}",
        Context(),
        attributes={**words.attributes("evaluator", name), **state.extra.kinds.get("evaluator", {}), **said},
        links=[Link(of)] if of is not None and of.is_valid else None,
        record_exception=False,
        set_status_on_exception=False,
    )
    span.add_event(words.EVALUATION, said)
    span.end()


def _span_of_run(state: Active, run_id: str) -> trace.Span | None:
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
        span = trace.get_current_span(current_context()) if run_id is None else _span_of_run(state, run_id)
        context = span.get_span_context() if span is not None else trace.INVALID_SPAN_CONTEXT
        if context.is_valid and context.trace_flags.sampled:
            return state.page.replace("{trace_id}", trace.format_trace_id(context.trace_id))
    return None
