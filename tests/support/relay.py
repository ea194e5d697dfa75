"""One app, one `instrument()` after the other, as if each were a process of its own; their spans side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

import runspan

from .playing import spans_of_app_go_to
from .tracing import Traced, traced


@dataclass
class Relay:
    """`with relay.process("worker") as trace: ...`; afterwards `relay.spans()` has what all of them exported."""

    exported: dict[str, list[ReadableSpan]] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def process(self, name: str, **options: Any) -> Iterator[Traced]:
        with traced(**options) as trace, spans_of_app_go_to(trace.provider):
            yield trace
            trace.spans()
            stats = trace.handle.stats()
            assert stats.started == _sum(stats), stats
            ending = Thread(target=runspan.uninstrument)  # nobody waits for it in a thread where a loop runs
            ending.start()
            ending.join()
        self.exported[name] = list(trace.exporter.get_finished_spans())
        self.stats[name] = stats = trace.handle.stats()
        assert stats.live == 0, stats
        assert stats.started == _sum(stats), stats

    def spans(self, operation: str | None = None) -> list[ReadableSpan]:
        found = [span for spans in self.exported.values() for span in spans]
        return [
            s
            for s in found
            if operation is None or (s.attributes or {}).get("gen_ai.operation.name") == operation
        ]

    def names(self, process: str) -> list[str]:
        return sorted(span.name for span in self.exported[process])


def _sum(stats: Any) -> int:
    lost = sum(stats.dropped.get(cause, 0) for cause in ("error", "outbox_full"))
    return int(stats.emitted + stats.unfinished + stats.handed_off + stats.live + lost)
