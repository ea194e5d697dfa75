"""A million runs at the tracker's door, under simulated time.

Of ten, six are polled to their end; one each is streamed, has tools, is refused, and is forgotten: right away or after a stream's
first event, by turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from benches import heavy
from benches.door import SECOND, Door, question
from benches.table import Row
from soaking.samples import HELD, Bound, Sample, Times, draw_samples, flat, sample

A_SECOND = 100  # runs begun; forgotten ones live for eleven minutes
SAMPLES = 30
BOUNDS = (
    *HELD,
    Bound("p50 of a run, us of processor time", lambda s: s.p50, 10, 20),
    Bound("p99 of a run, us of processor time", lambda s: s.p99, 20, 100),
)


class Count(SpanProcessor):
    runs = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.runs += span.name.startswith("invoke_agent")


def records(door: Door, number: int) -> Iterator[Any]:
    asked = question(number)
    kind = number % 10
    if kind == 9:
        is_streamed = number % 20 == 9
        return (
            door.streamed(number, asked, is_cut=True)
            if is_streamed
            else islice(door.whole_run(number, asked), 1)
        )
    if kind == 8:
        return door.refused(number, asked)
    if kind == 7:
        return heavy.records(door, number)
    return door.streamed(number, asked, is_cut=False) if kind == 6 else door.whole_run(number, asked)


def soak(runs: int) -> Iterator[Row]:
    count, reader, times = Count(), InMemoryMetricReader(), Times()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    door = Door(count, simulated=True, meter_provider=meters)
    began_s, began_ns, samples = time.monotonic(), door.now_ns, list[Sample]()
    each = max(1, runs // SAMPLES)
    for number in range(1, runs + 1):
        took = 0
        for record in records(door, number):
            before = time.thread_time_ns()
            door.take(record)
            took += time.thread_time_ns() - before
        times.add(took / 1000)
        door.now_ns += SECOND // A_SECOND
        if number % 20 == 0:
            door.tick()
        if number % each == 0:
            reader.get_metrics_data()
            minutes = (door.now_ns - began_ns) / SECOND / 60
            samples.append(sample(f"{minutes:.0f} min", number, times))
            print(draw_samples(samples[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    alive, rate = door.handle.stats().live, runs / (time.monotonic() - began_s)
    door.now_ns += 3600 * SECOND
    door.tick()
    door.emit_over()
    print(draw_samples(samples))
    yield from flat(samples, BOUNDS)
    stats = door.handle.stats()
    dropped = sum(stats.dropped.values())
    gone = stats.emitted + stats.unfinished + stats.handed_off + dropped + stats.live
    note = (
        f"{stats.emitted:,} emitted + {stats.unfinished:,} unfinished + {dropped:,} dropped + {stats.live:,} live"
        f" of {stats.started:,}; {alive:,} forgotten ones were alive at the end, {rate:,.0f} runs/s"
    )
    yield Row("runs not accounted for", abs(runs - gone) + abs(stats.started - gone), "", 0, note=note)
    yield Row(
        "run spans missing at the exporter",
        runs - dropped - count.runs,
        "",
        0,
        note=f"{count.runs:,} arrived",
    )
    yield Row("errors of our own", sum(stats.errors.values()), "", 0, note=str(dict(stats.errors) or ""))
