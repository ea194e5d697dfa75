"""The only place that makes spans of runs and calls, and the only one below `setup.py` that knows OpenTelemetry.

A live span is begun on the caller's thread with the standard API and ended by the worker with explicit times. Nothing of the
creator's Context is kept but what children need: its span's ids and its baggage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, Status, StatusCode, Tracer, TracerProvider

from .. import _compat
from ..conventions import attributes_of, essential, genai
from ..conventions.backend_attributes import NONE, BackendAttributes
from ..core import timing
from ..core.model import ApiError, RunFacts, RunRequest, SpanData, SpanEvent
from ..core.model import SpanKind as Kind
from ..core.redact import clean
from ..core.run_context import RunContext
from ..guard import logger
from . import clock, context_attributes, identity, tracers
from . import otel_context as place
from .content_event import ContentEvents
from .metrics import UNMEASURED, Metrics
from .records import LiveSpan

FEW_ATTRIBUTES = (
    "runspan: the SDK keeps %d attributes of a span, and this one has %d. The most important stay: ids, status, model, tokens, "
    "then messages. Raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, OTEL_ATTRIBUTE_COUNT_LIMIT or the provider's SpanLimits (the default "
    "is 128). This is logged once."
)

SUPPRESS_KEY = _compat.suppress_key()
_SUPPRESSED_KEYS = (SUPPRESS_KEY, _compat.OLD_SUPPRESS_KEY)

_KINDS: Mapping[Kind, SpanKind] = {
    Kind.RUN: SpanKind.CLIENT,
    Kind.GENERATION: SpanKind.CLIENT,
    Kind.MODEL_CALL: SpanKind.CLIENT,
    Kind.CALL: SpanKind.CLIENT,
    Kind.TOOL: SpanKind.INTERNAL,
}


# ---------------------------------------------------------------- the caller's side


def is_suppressed() -> bool:
    """Whether instrumentation is switched off where we are (our own fetches, exporters, other people's wishes)."""
    current = place.current()
    return bool(current) and bool(current.get(SUPPRESS_KEY) or current.get("suppress_instrumentation"))


def name_of_current_scope() -> str:
    """Who made the span that is current; empty where that is not known."""
    made_by = getattr(trace.get_current_span(place.current()), "instrumentation_scope", None)
    return str(getattr(made_by, "name", ""))


@contextmanager
def suppressed() -> Iterator[None]:
    """What is called inside makes no span, neither here nor in instrumented HTTP clients."""
    current = place.current()
    for key in _SUPPRESSED_KEYS:
        current = otel_context.set_value(key, True, current)
    token = place.attach(current)
    try:
        yield
    finally:
        place.undo(token)


def is_under_sampled_span() -> bool:
    """Whether one of this process is current, even if it is over: a task or a job may go on after the view that began it."""
    current = trace.get_current_span(place.current()).get_span_context()
    return current.trace_flags.sampled and not current.is_remote


def slim_context() -> Context:
    """The current Context without what it would keep alive: ids of the current span, baggage."""
    current = place.current()
    parent = trace.get_current_span(current).get_span_context()
    slim = trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent.is_valid else Context()
    for name, value in baggage.get_all(current).items():
        slim = baggage.set_baggage(name, value, slim)
    values = context_attributes.of(current)
    return slim if values is None else otel_context.set_value(context_attributes.KEY, values, slim)


def enter(live: LiveSpan) -> Any:
    """Make the live span current around the wrapped call, so that HTTP spans nest and the server gets its traceparent."""
    before = place.current()
    token = place.attach(trace.set_span_in_context(live.span, before))
    return token, before, live.span.get_span_context().span_id


def leave(entered: Any) -> None:
    """Undo `enter`, also where detaching does nothing: from ddtrace's context a span leaves only when it ends; ours ends later."""
    token, before, span_id = entered
    place.undo(token)  # a coroutine may be closed in another context than it began in
    if trace.get_current_span().get_span_context().span_id == span_id:
        if not trace.get_current_span(before).get_span_context().is_valid:
            before = trace.set_span_in_context(place.NOBODY, before)
        place.attach(before)


class Emitter:
    """Begins, ends and makes spans. `provider()` says which TracerProvider a span that begins now belongs to."""

    def __init__(
        self,
        provider: Callable[[], TracerProvider],
        max_attribute_chars: int,
        extra: BackendAttributes = NONE,
        max_span_chars: int | None = None,
        metrics: Metrics = UNMEASURED,
    ) -> None:
        self.metrics = metrics
        self._provider = provider
        self._max_chars = max_attribute_chars
        self._max_span_chars = max_span_chars
        self._extra = extra  # what the backend of the preset wants more
        self._tracers: dict[int, tuple[TracerProvider, Tracer, int | None]] = {}
        self._count_limit: int | None = None  # of the attributes of a span that begins now
        self._content_events = ContentEvents(max_attribute_chars)
        self._has_told_of_limit = False

    def begin(self, data: SpanData) -> LiveSpan:
        """Start the span of a run or write under the current Context; the attributes are those that samplers use."""
        context, tracer, facts = slim_context(), self._tracer(), data.facts
        # Without its texts: they would live as long as the span.
        asked = facts.request.without_texts() if isinstance(facts, RunFacts) else RunRequest()
        offset_ns = clock.wall_offset_ns()
        span = self._started(tracer, data, context, None, offset_ns)
        return LiveSpan(span, context, tracer, data.start_ns, asked=asked, wall_offset_ns=offset_ns)

    def begin_adopted(self, data: SpanData, carried: RunContext, context: Context) -> LiveSpan:
        """Take on the run span of another process, begun in `context` there."""
        tracer, under = identity.taking_on(self._tracer(), carried, context)
        offset_ns = clock.wall_offset_ns()
        span = self._started(tracer, data, context, under, offset_ns)
        times = carried.request_ns, carried.response_ns
        return LiveSpan(
            span, under, tracer, *times, carried.conversation_id, carried.request, wall_offset_ns=offset_ns
        )

    def _started(
        self, tracer: Tracer, data: SpanData, begun_in: Context, under: Context | None, offset_ns: int
    ) -> Span:
        """Below the span of `under`, None: the current one. Its name and `runspan.context` are those of `begun_in`."""
        return tracer.start_span(
            _name(data, begun_in),
            place.current() if under is None else under,
            _KINDS[data.kind],
            essential.from_the_start(
                _with_scope(attributes_of(data, self._max_chars, self._extra), begun_in), self._count_limit
            ),
            start_time=data.start_ns + offset_ns,
            record_exception=False,
            set_status_on_exception=False,
        )

    def end(self, live: LiveSpan, data: SpanData) -> None:
        """Give the live span its final name, attributes, events and status, make its children, and end it."""
        try:
            data = timing.moved(data, live.wall_offset_ns)
            live.span.update_name(_name(data, live.context))
        finally:
            self._finish(live.tracer, live.span, data, live.context)

    def make(self, data: SpanData, context: Context | None) -> None:
        """A span made afterwards, under `context` (None: a root)."""
        data = timing.moved(data, clock.wall_offset_ns())
        self._make(self._tracer(), data, context or Context())

    def make_past(self, data: SpanData, context: Context) -> None:
        """The same, at the times that it has: those of another clock, in another year."""
        self._make(self._tracer(), data, context)

    def measure(self, live: LiveSpan, data: SpanData) -> None:
        """Record the metrics of a run, under its span."""
        self.metrics.run(data, trace.set_span_in_context(live.span, live.context))

    # ------------------------------------------------------------ pieces

    def _make(self, tracer: Tracer, data: SpanData, context: Context) -> None:
        span = tracer.start_span(
            _name(data, context),
            context,
            kind=_KINDS[data.kind],
            start_time=data.start_ns,
            record_exception=False,
            set_status_on_exception=False,
        )
        self._finish(tracer, span, data, context)

    def _finish(self, tracer: Tracer, span: Span, data: SpanData, context: Context) -> None:
        """Make what is below it, describe it and end it: whatever fails, it must not stay open."""
        try:
            try:
                below = trace.set_span_in_context(span, context)
                for child in data.children:
                    self._make(tracer, child, below)
                if data.event_facts is not None:
                    self._content_events.emit(data, data.event_facts, below)
            finally:
                self._describe(tracer, span, data, context)
        finally:
            span.end(data.end_ns)

    def _describe(self, tracer: Tracer, span: Span, data: SpanData, context: Context) -> None:
        if span.is_recording():
            said = attributes_of(data, _limit(tracer, self._max_chars), self._extra, self._max_span_chars)
            span.set_attributes(self._within_limit(tracer, _with_scope(said, context), context))
            for event in (*data.events, *_exception(data.error, data.end_ns)):
                span.add_event(event.name, dict(event.attributes), event.at_ns)
            if data.error is not None:
                span.set_status(Status(StatusCode.ERROR, clean(data.error.message or data.error.code)))

    def _within_limit(
        self, tracer: Tracer, attributes: dict[str, genai.Value], context: Context
    ) -> dict[str, genai.Value]:
        """The SDK drops the first for the last beyond its limit; so the least important are left out before."""
        count = _compat.span_limit(tracer, "max_span_attributes")
        if count is None or len(attributes) <= count:
            return attributes
        if not self._has_told_of_limit:
            self._has_told_of_limit = True
            logger.warning(FEW_ATTRIBUTES, count, len(attributes))
        values = context_attributes.of(context)
        return essential.kept(attributes, count, values.attributes.keys() if values else frozenset())

    def _tracer(self) -> Tracer:
        provider = self._provider()
        known = self._tracers.get(id(provider))
        if known is None:
            tracer = tracers.of(provider)
            limit = _compat.span_limit(tracer, "max_span_attributes")
            known = self._tracers[id(provider)] = (provider, tracer, limit)
        self._count_limit = known[2]
        return known[1]


def _name(data: SpanData, context: Context) -> str:
    """The conventions' name, or for a span that begins a trace what `runspan.context(trace_name=)` says."""
    values = context_attributes.of(context)
    is_named = values is not None and not trace.get_current_span(context).get_span_context().is_valid
    return (is_named and values is not None and values.trace_name) or genai.name(data)


def _with_scope(attributes: dict[str, genai.Value], context: Context) -> dict[str, genai.Value]:
    """With what `runspan.context` gave: its session wins over the id of the thread."""
    values = context_attributes.of(context)
    return attributes if values is None else {**attributes, **values.attributes}


def _limit(tracer: Tracer, max_chars: int) -> int:
    """The SDK cuts longer values blindly, which would break our JSON; so its limit is ours too."""
    of_sdk = _compat.span_limit(tracer, "max_span_attribute_length")
    return max_chars if of_sdk is None else min(max_chars, of_sdk)


def _exception(error: ApiError | None, at_ns: int) -> Iterator[SpanEvent]:
    """Our own event: the SDK's would carry a stack trace with the app's texts."""
    if error is not None:
        message = {"exception.message": error.message} if error.message else {}
        yield SpanEvent("exception", at_ns, {"exception.type": error.code, **message})
