"""One span's identity in two processes: written into headers where a run is given away, taken on where it is taken over.

The creator's run span was current around its POST: spans of HTTP clients, of the server, of tools name it as their parent. So the
process that takes over makes its span with that very id, and the creator's is never ended. Tracers of the OpenTelemetry SDK allow
that; any other makes a span with an id of its own, under the same parent.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..conventions import observed as words
from ..conventions.backend_attributes import BackendAttributes
from ..conventions.openinference import SESSION
from ..core import run_context as lines
from ..core.run_context import RunContext
from . import context_attributes as scope
from . import otel_context as place
from .context_attributes import ContextAttributes
from .records import LiveSpan

# What travels of `runspan.context`.
SCOPE = (SESSION, words.USER, words.TAGS, words.TRACE_NAME, words.METADATA)
MAX_BAGGAGE_CHARS = 8_192  # the W3C's own bound

_TRACE, _BAGGAGE = TraceContextTextMapPropagator(), W3CBaggagePropagator()

Headers = dict[str, str]


# ---------------------------------------------------------------- giving away


def carry(live: LiveSpan, **more: Any) -> RunContext:
    """What there is to say of a run whose span was begun here, or taken over here."""
    own: SpanContext = live.span.get_span_context()
    parent = trace.get_current_span(live.context).get_span_context()
    values = scope.of(live.context)
    return RunContext(
        trace_id=trace.format_trace_id(own.trace_id),
        span_id=trace.format_span_id(own.span_id),
        parent_id=trace.format_span_id(parent.span_id) if parent.is_valid and parent != own else None,
        flags=int(own.trace_flags),
        request_ns=live.request_ns + live.wall_offset_ns,
        response_ns=None if live.response_ns is None else live.response_ns + live.wall_offset_ns,
        conversation_id=live.conversation_id,
        request=live.asked,
        scope={k: v for k, v in values.attributes.items() if k in SCOPE} if values is not None else {},
        **more,
    )


def headers(live: LiveSpan, carried: RunContext) -> Headers:
    """`traceparent` (the run span's parent; where it has none, the run span itself), `tracestate`, `baggage`, and ours."""
    parent = live.context if carried.parent_id else trace.set_span_in_context(live.span, live.context)
    return {**_w3c(parent), lines.KEY: lines.encode(carried, lines.MAX_HEADER_CHARS)}


def headers_of(own: SpanContext) -> Headers:
    """Of a run that is not recorded: others shall know that, too."""
    return _w3c(trace.set_span_in_context(NonRecordingSpan(own), Context()))


def headers_here() -> Headers:
    """Of whatever is current here."""
    return _w3c(place.current())


def _w3c(context: Context) -> Headers:
    found: Headers = {}
    _TRACE.inject(found, context)
    _BAGGAGE.inject(found, context)
    if len(found.get("baggage", "")) > MAX_BAGGAGE_CHARS:
        del found["baggage"]
    return found


# ---------------------------------------------------------------- taking over


def read(carrier: object) -> tuple[RunContext | None, Context]:
    """What `headers` wrote, also among other headers, in any case, as bytes; and the Context that the run began in."""
    found = _texts(carrier)
    carried = lines.decode(found.get(lines.KEY))
    context = _BAGGAGE.extract(found, Context())
    around = trace.get_current_span(_TRACE.extract(found, Context())).get_span_context()
    if carried is not None:
        state = around.trace_state if trace.format_trace_id(around.trace_id) == carried.trace_id else None
        return carried, _context(carried, state, context)
    return None, trace.set_span_in_context(NonRecordingSpan(around), context) if around.is_valid else context


def context_of(carried: RunContext) -> Context:
    """The same for a line that came without headers."""
    return _context(carried, None, Context())


def _texts(carrier: object) -> Headers:
    if not isinstance(carrier, Mapping):
        return {}
    return {
        str(_text(name)).lower(): text
        for name, value in carrier.items()
        if isinstance(text := _text(value), str)
    }


def _text(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _context(carried: RunContext, state: TraceState | None, context: Context) -> Context:
    if carried.parent_id is not None:
        parent = _span_context(carried, carried.parent_id, state)
        context = trace.set_span_in_context(NonRecordingSpan(parent), context)
    return context


def with_scope(context: Context, said: Mapping[str, Any], extra: BackendAttributes) -> Context:
    """With what `runspan.context` gave there, and what our own backend's preset makes of it."""
    if not said:
        return context
    try:
        metadata = json.loads(said.get(words.METADATA, "{}"))
    except ValueError:
        metadata = {}
    attributes = {**said, **extra.of_context(said, metadata)}
    return otel_context.set_value(
        scope.KEY,
        ContextAttributes(attributes, metadata, tuple(said.get(words.TAGS, ())), said.get(words.TRACE_NAME)),
        context,
    )


def own_of(carried: RunContext) -> SpanContext:
    """The run span's identity."""
    return _span_context(carried, carried.span_id)


def _span_context(carried: RunContext, span_id: str, state: TraceState | None = None) -> SpanContext:
    flags = TraceFlags(carried.flags)
    return SpanContext(int(carried.trace_id, 16), int(span_id, 16), True, flags, state)


def within(live: LiveSpan) -> Context:
    """Where spans belong that go on with the work: beside the run span, or below it where it begins the trace."""
    if trace.get_current_span(live.context).get_span_context().is_valid:
        context: Context = live.context
        return context
    return trace.set_span_in_context(NonRecordingSpan(live.span.get_span_context()), live.context)


def over(live: LiveSpan) -> LiveSpan:
    """What is kept of a span that goes out: its identity, without the texts on it."""
    return replace(live, span=NonRecordingSpan(live.span.get_span_context()))


def of_tools(live: LiveSpan) -> Context:
    """Where the app's own tools belong: below their run, or beside it where it is over by the time they run."""
    if live.api is not None and live.api.runs_apart:
        return within(live)
    return trace.set_span_in_context(live.span, live.context)


def is_unsampled(context: Context) -> bool:
    of = trace.get_current_span(context).get_span_context()
    return of.is_valid and not of.trace_flags.sampled


# ---------------------------------------------------------------- the tracer that makes it so


def taking_on(tracer: Any, carried: RunContext, context: Context) -> tuple[Any, Context]:
    """A tracer whose first span is the run span itself, and the Context to begin it in."""
    if not _is_of_sdk(tracer):
        if carried.parent_id is None:  # an id of its own: at least in the same trace
            context = trace.set_span_in_context(NonRecordingSpan(own_of(carried)), context)
        return tracer, context
    own = own_of(carried)
    tracer = _with_ids(tracer, _Ids(own, begins=True))
    if carried.parent_id is None:
        tracer.sampler = _Decided(tracer.sampler, own)
    return tracer, context


def following(tracer: Any, own: SpanContext) -> Any:
    """A tracer whose spans below the run span `own` have ids that follow from its id: the same in every process."""
    if not _is_of_sdk(tracer):
        return tracer
    return _with_ids(tracer, _Ids(own, begins=False))


def _is_of_sdk(tracer: Any) -> bool:
    return type(tracer).__module__ == "opentelemetry.sdk.trace" and hasattr(tracer, "id_generator")


def _with_ids(tracer: Any, ids: _Ids) -> Any:
    tracer = copy.copy(tracer)  # the app's own goes on as it was
    tracer.id_generator = ids
    return tracer


class _Ids:
    """The SDK's IdGenerator for one run; `begins`: the first span is the run span itself."""

    def __init__(self, own: SpanContext, *, begins: bool) -> None:
        self._own = own
        self._numbers = itertools.count(0 if begins else 1)

    def generate_span_id(self) -> int:
        number = next(self._numbers)
        if number == 0:
            return self._own.span_id
        seed = f"{self._own.trace_id:x}/{self._own.span_id:x}/{number}".encode()
        return int.from_bytes(hashlib.sha256(seed).digest()[:8], "big") or 1

    def generate_trace_id(self) -> int:
        return self._own.trace_id

    def is_trace_id_random(self) -> bool:
        return bool(self._own.trace_flags & 2)  # asked by newer SDKs only


class _Decided:
    """The sampler asked as if the run span were the parent: its creator has decided for the whole trace."""

    def __init__(self, inner: Any, own: SpanContext) -> None:
        self._inner = inner
        self._own = NonRecordingSpan(own)

    def should_sample(self, parent_context: Context | None, trace_id: int, *args: Any, **kwargs: Any) -> Any:
        if not trace.get_current_span(parent_context).get_span_context().is_valid:
            parent_context = trace.set_span_in_context(self._own, parent_context or Context())
        return self._inner.should_sample(parent_context, trace_id, *args, **kwargs)

    def get_description(self) -> str:
        return str(self._inner.get_description())
