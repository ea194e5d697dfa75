"""Span data of imported runs -> finished spans with ids of their own making: the same run gives the same ids, whenever and wherever
it is imported.

It stands where the outbox of a live process does. What only a live client can know is taken off: polls, how long after its end
the app noticed, how long the run waited for tools, when the first text came.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from ..core.model import OF_RUNS, Outcome, RunFacts, SpanData, ToolFacts
from ..runtime.emitter import Emitter
from ..runtime.outbox import Outbox
from ..runtime.records import LiveSpan

ORIGIN = "imported"
_LIVE_EVENTS = frozenset({"first_token"})

Take = Callable[
    [bytes, list[ReadableSpan]], None
]  # (ids of the outermost span, spans of one run or call, the outermost last)


def digest(*parts: str) -> bytes:
    """The same 24 bytes for the same parts."""
    return hashlib.sha256("\0".join(("runspan.import", *parts)).encode("utf-8", "surrogatepass")).digest()[
        :24
    ]


def identity(*parts: str) -> SpanContext:
    """Ids of the outermost span of what these parts name."""
    made = digest(*parts)
    trace_id, span_id = int.from_bytes(made[:16], "big"), int.from_bytes(made[16:], "big")
    return SpanContext(
        trace_id or 1, span_id or 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def placeholder(*parts: str) -> LiveSpan:
    """In place of the span that a live process begins with the call: its identity."""
    return LiveSpan(NonRecordingSpan(identity(*parts)), Context(), None)


class GivenIds(IdGenerator):
    """Gives out the ids that were laid ready."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_ids: deque[int] = deque()

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_ids.popleft()


class _Finished(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class PastSpans(Outbox):
    """`provider(ids)` makes the TracerProvider. `is_wanted` sees the ids of the outermost span and its data, `take` the spans."""

    def __init__(
        self,
        provider: Callable[[IdGenerator], TracerProvider],
        emitter: Callable[[Callable[[], TracerProvider]], Emitter],
        is_wanted: Callable[[bytes, SpanData], bool],
        take: Take,
    ) -> None:
        self._ids = GivenIds()
        self._finished = _Finished()
        made = provider(self._ids)
        made.add_span_processor(self._finished)
        self.emitter = emitter(lambda: made)
        self._is_wanted = is_wanted
        self._take = take
        self.dropped: Counter[str] = Counter()
        self.seed = ""  # names the call that is read, for spans of calls that gave no run
        self.is_derived = False  # the run is known from its messages alone

    # ------------------------------------------------------------ in place of the outbox

    def send(self, where: LiveSpan | Any, data: SpanData) -> bool:
        """Make the spans, at the times that they have."""
        live = where.span.get_span_context() if isinstance(where, LiveSpan) else None
        context: Context = where.context if isinstance(where, LiveSpan) else where
        parent = trace.get_current_span(context).get_span_context()
        own = live or self._identity(data, parent)
        key = own.trace_id.to_bytes(16, "big") + own.span_id.to_bytes(8, "big")
        if self._is_wanted(key, data):
            data = _without_live(data, is_derived=self.is_derived)
            self._ids.trace_id = own.trace_id
            self._ids.span_ids = deque([own.span_id, *_below(own.span_id, data)])
            self.emitter.make_past(data, context)
            spans, self._finished.spans = self._finished.spans, []
            self._take(key, spans)
        return True

    def pump(self) -> None:
        """Nothing waits here."""

    def measure_tool(self, data: SpanData, context: Any) -> None:
        """Metrics are of the present."""

    def _identity(self, data: SpanData, parent: SpanContext) -> SpanContext:
        """Of a span that no run's request begins: a call's, or that of a tool which the app ran after its run."""
        if not parent.is_valid:
            return identity("call", self.seed)
        call_id = data.facts.call.id if isinstance(data.facts, ToolFacts) else self.seed
        own = identity("below", f"{parent.span_id:016x}", "tool", call_id)
        return SpanContext(parent.trace_id, own.span_id, is_remote=False, trace_flags=own.trace_flags)


def _below(span_id: int, data: SpanData) -> Iterator[int]:
    """Ids of all below it, in the order in which they are made: by what they are, so that another call more changes no other id."""
    seen: Counter[tuple[str, ...]] = Counter()
    for child in data.children:
        name = (child.kind.value, child.facts.call.id if isinstance(child.facts, ToolFacts) else "")
        own = identity("below", f"{span_id:016x}", *name, *([str(seen[name])] if seen[name] else [])).span_id
        seen[name] += 1
        yield own
        yield from _below(own, child)


def _without_live(data: SpanData, *, is_derived: bool) -> SpanData:
    """As far as an archive can know it."""
    children = tuple(_without_live(child, is_derived=is_derived) for child in data.children)
    facts = data.facts
    if not isinstance(facts, RunFacts):
        return replace(data, children=children)
    run = facts.run
    has_end = run is not None and (run.ended_at is not None or run.outcome is Outcome.EXPIRED)
    facts = replace(
        facts,
        origin=ORIGIN,
        detection_lag_s=None,
        polls=None,
        tool_wait_s=None,
        first_chunk_s=None,
        first_chunk_ns=None,
        end_uncertainty_s=facts.end_uncertainty_s if has_end else None,
    )
    events = tuple(event for event in data.events if event.name not in _LIVE_EVENTS)
    if is_derived and run is not None:  # nobody says how its run ended, nor when
        ends = {"queue_s": None, "active_s": None, "tool_wait_s": None, "end_uncertainty_s": None}
        told = replace(run, status=None, created_at=None, started_at=None, ended_at=None)
        missing = ("run", *(["steps"] if data.kind in OF_RUNS else []))
        facts, events = replace(facts, run=told, missing=missing, **ends), ()
    return replace(data, facts=facts, events=events, children=children)
