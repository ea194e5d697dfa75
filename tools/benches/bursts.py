"""Bursts of ended runs through the SDK's batch processor and a slow exporter, in real time, with the worker's thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benches.door import Door, question
from benches.table import Row

BURST = 20_000
DELAY_S = 0.01  # for each batch of 512 spans


class Slow(SpanExporter):
    """Waits before it takes a batch; not at all before `opened`."""

    def __init__(self) -> None:
        self.spans = 0
        self.opened = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.opened.wait()
        time.sleep(DELAY_S)
        self.spans += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.opened.set()


def rows() -> Iterator[Row]:
    logging.disable(logging.WARNING)
    yield from _burst("burst of 20,000 ended runs, slow exporter", BURST, is_open=True)
    yield from _burst("burst of 24,000, exporter dead until all ended", 24_000, is_open=False)


def _burst(what: str, runs: int, *, is_open: bool) -> Iterator[Row]:
    exporter = Slow()
    door = Door(BatchSpanProcessor(exporter), simulated=not is_open)
    hand_over = (
        door.put if is_open else door.take
    )  # take: the whole burst ends before anything gets out, on any machine
    began = time.monotonic()
    if is_open:
        exporter.opened.set()
    for number in range(runs):
        for call in door.whole_run(number, question(number)):
            hand_over(call)
    exporter.opened.set()
    is_out = door.handle.flush(timeout=300)
    stats = door.handle.stats()
    # Of runs, of two spans each; queue_full counts records.
    dropped = stats.dropped.get("error", 0) + stats.dropped.get("outbox_full", 0)
    note = f"{stats.emitted:,} emitted, dropped {dict(stats.dropped)}, {time.monotonic() - began:.1f} s, flush() {is_out}"
    yield Row(
        f"{what}: runs lost without a count",
        stats.started - stats.emitted - stats.unfinished - dropped,
        "",
        0,
        note=note,
    )
    missing = 2 * runs - exporter.spans
    counted = 2 * dropped + sum(number for cause, number in stats.dropped.items() if "span" in cause)
    yield Row(
        "  spans missing and not counted",
        missing - counted,
        "",
        0,
        note=f"{exporter.spans:,} of {2 * runs:,} arrived",
    )
