"""A provider that counts: each span that was started was ended, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

import runspan
from runspan.setup import Handle
from tests.chaos import figures


@dataclass
class Counted(SpanProcessor):
    started: Counter[int] = field(default_factory=Counter)
    ended: list[ReadableSpan] = field(default_factory=list)

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        assert span.context is not None
        self.started[span.context.span_id] += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)

    def of(self, operation: str) -> list[ReadableSpan]:
        return [s for s in self.ended if (s.attributes or {}).get("gen_ai.operation.name") == operation]

    def runs_by_id(self) -> dict[str, ReadableSpan]:
        """Every run span that knows its run; each run has one."""
        runs = [s for s in self.of("invoke_agent") if "runspan.run.id" in (s.attributes or {})]
        by_id = {str((s.attributes or {})["runspan.run.id"]): s for s in runs}
        assert len(by_id) == len(runs), "a run was emitted twice"
        return by_id

    def check_whole(self) -> None:
        ended = Counter(s.context.span_id for s in self.ended if s.context)
        assert ended == self.started, "a span was left open, or ended twice"


def counting_provider() -> tuple[TracerProvider, Counted]:
    counted, provider = Counted(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(counted)
    return provider, counted


@contextmanager
def counting(**options: Any) -> Iterator[tuple[Handle, Counted]]:
    """`instrument()`; at the end everything is out and accounted for."""
    provider, counted = counting_provider()
    handle = runspan.instrument(**{"tracer_provider": provider, "fetch": "never", "settle_s": 0.0, **options})
    try:
        yield handle, counted
        assert runspan.flush(30)
    finally:
        runspan.uninstrument()
    stats = handle.stats()
    assert stats.live == 0
    assert stats.started == stats.emitted + stats.unfinished + sum(
        stats.dropped.get(cause, 0) for cause in ("error", "outbox_full")
    )
    counted.check_whole()
    figures.count(runs=stats.started, expected=sum(counted.started.values()), found=len(counted.ended))
