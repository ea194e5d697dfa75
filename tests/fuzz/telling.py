"""A handle without threads: what is told to its worker becomes spans at once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from runspan.clients.starts import run_data
from runspan.config import resolve
from runspan.runtime import clock
from runspan.setup import Handle
from tests.fuzz.seeds import Records, Told

FACTS = ("runspan.run.id", "runspan.run.status", "gen_ai.conversation.id", "runspan.run.unfinished")
TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


class Spans(SpanProcessor):
    def __init__(self) -> None:
        self.started: Counter[int] = Counter()
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        assert span.context is not None
        self.started[span.context.span_id] += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


class Told2Spans:
    """A handle without threads: records are read at once."""

    def __init__(self, **bounds: int) -> None:
        self.spans = Spans()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.spans)
        options = {"tracer_provider": provider, "fetch": "never", "calls": "all", **bounds}
        self.handle = Handle(resolve(options, {}))
        patch = self.handle._patch
        self.records = Records(
            lambda call, body: patch._starts._emitter.begin(run_data(call, body, patch._starts._agent_of))
        )

    def tell(self, told: list[Told]) -> None:
        worker, config = self.handle._worker, self.handle.config
        tracker = self.handle._tracker
        for one in told:
            for record in self.records.of(one):
                worker._handle(record)
                assert tracker.live <= config.limits.max_live_runs
                assert (
                    tracker.live <= 1
                    or tracker._weight + tracker._logs.weight <= config.limits.max_live_bytes
                )
            tracker.scheduler.tick(clock.now_ns())
        for record in self.records.ends():
            worker._handle(record)
        tracker.emit_all()
        assert self.handle._outbox.drain(float("inf"))

    @property
    def runs(self) -> list[ReadableSpan]:
        return [s for s in self.spans.ended if operation(s) == "invoke_agent"]

    @property
    def said(self) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Of each run what must not depend on what else goes on: its facts, and its tokens."""
        tokens = {
            s.parent.span_id: tuple((s.attributes or {}).get(key) for key in TOKENS)
            for s in self.spans.ended
            if operation(s) == "chat" and s.parent
        }
        facts = ((tuple((run.attributes or {}).get(key) for key in FACTS), run) for run in self.runs)
        return [(of, tokens[run.context.span_id]) for of, run in facts if run.context]


def operation(span: ReadableSpan) -> Any:
    return (span.attributes or {}).get("gen_ai.operation.name")
