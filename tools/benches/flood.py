"""200,000 runs through one process under simulated time, a tenth of them never looked at again.

Nothing may grow, nothing may get lost.
"""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from benches.door import SECOND, Door, question
from benches.table import Row

RUNS = int(os.environ.get("RUNSPAN_BENCH_RUNS", "200000"))
A_SECOND = 100  # runs begun; abandoned ones live for eleven minutes
HALF = RUNS // 2


class Count(SpanProcessor):
    spans = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.spans += 1


def rows() -> Iterator[Row]:
    count = Count()
    door = Door(count, simulated=True)
    began = time.monotonic()
    half = 0
    for number in range(RUNS):
        if number == HALF:
            half = _resident()
        calls = door.whole_run(number, question(number))
        for call in [next(calls)] if number % 10 == 0 else calls:
            door.take(call)
        door.now_ns += SECOND // A_SECOND
        if number % 20 == 0:
            door.tick()
    whole = _resident()
    stats = door.handle.stats()
    rate = RUNS / (time.monotonic() - began)
    note = f"{whole / 1e6:.0f} MB resident with {stats.live:,} abandoned runs alive; {rate:,.0f} runs/s"
    yield Row(f"memory: growth from run {HALF:,} to {RUNS:,}", (whole - half) / half * 100, "%", 5, note=note)
    door.now_ns += 3600 * SECOND
    door.tick()
    stats = door.handle.stats()
    dropped = sum(stats.dropped.values())
    lost = stats.started - stats.emitted - stats.unfinished - dropped
    note = f"{stats.emitted:,} emitted + {stats.unfinished:,} unfinished + {dropped:,} dropped of {stats.started:,}"
    yield Row("  runs lost without a count", lost, "", 0, note=note)
    yield Row(
        "  spans missing at the exporter", 2 * RUNS - count.spans, "", 0, note=f"{count.spans:,} arrived"
    )


def _resident() -> int:
    """Bytes in memory now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
