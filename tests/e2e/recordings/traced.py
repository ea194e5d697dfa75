"""The same play with runspan installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .record import Record

# How long an ended Run waits for what the app may still read of it; flush() ends the waiting. With the first,
# messages listed after the end make it into the spans; with the second, spans go out while the app works.
UNTIL_FLUSH = 600.0
AT_ONCE = 0.0


@dataclass
class Traced:
    record: Record
    flushed: bool
    after_flush: tuple[ReadableSpan, ...]
    spans: tuple[ReadableSpan, ...]  # after uninstrument(), which ends what still lived
    live: int
    unfinished: int
    dropped: Mapping[str, int]
    complaints: list[str] = field(default_factory=list)  # what runspan logged as a warning or worse


def traced(play: Callable[[], Record], settle_s: float, **options: Any) -> Traced:
    import runspan

    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with _Complaints() as complaints:
        common = {"tracer_provider": provider, "fetch": "never", "settle_s": settle_s}
        handle: Any = runspan.instrument(**common, **options)
        try:
            record = play()
            flushed = runspan.flush(timeout=10)
            after_flush = exporter.get_finished_spans()
        finally:
            runspan.uninstrument()
    stats = handle.stats()
    return Traced(
        record=record,
        flushed=flushed,
        after_flush=after_flush,
        spans=exporter.get_finished_spans(),
        live=stats.live,
        unfinished=stats.unfinished,
        dropped={cause: count for cause, count in dict(stats.dropped).items() if count},
        complaints=complaints.lines,
    )


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __enter__(self) -> _Complaints:
        logging.getLogger("runspan").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("runspan").removeHandler(self)
