"""Many runs at the tracker's door, under simulated time: a million of them in `make soak`, 200,000 in `make bench`.

Of ten, six are polled to their end; one each is streamed, has tools, is refused, and is forgotten: right away or after a stream's
first event, by turns.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from benches import heavy
from benches.door import SECOND, Door, question
from soaking.samples import HELD, Bound, Times, accounts, flat, sample
from table import Row

A_SECOND = 100  # runs begun, at most
LIFE_MIN = 11  # of a run that is forgotten: a third of the whole, so that as many go as come when growth is looked for
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
    match number % 10:
        case 9 if number % 20 == 9:
            return door.streamed(number, asked, is_cut=True)
        case 9:
            return islice(door.whole_run(number, asked), 1)
        case 8:
            return door.refused(number, asked)
        case 7:
            return heavy.records(door, number)
        case 6:
            return door.streamed(number, asked, is_cut=False)
    return door.whole_run(number, asked)


def rows() -> Iterator[Row]:
    runs = int(os.environ.get("RUNS", "200000"))
    count, reader, times = Count(), InMemoryMetricReader(), Times()
    door = Door(count, simulated=True, meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    began_s, began_ns, samples = time.monotonic(), door.now_ns, []
    each = max(1, runs // SAMPLES)
    pause_ns = max(SECOND // A_SECOND, 3 * LIFE_MIN * 60 * SECOND // runs)
    for number in range(1, runs + 1):
        took = 0
        for record in records(door, number):
            before = time.thread_time_ns()
            door.take(record)
            took += time.thread_time_ns() - before
        times.add(took / 1000)
        door.now_ns += pause_ns
        if number % 20 == 0:
            door.tick()
        if number % each == 0:
            reader.get_metrics_data()
            minutes = (door.now_ns - began_ns) / SECOND / 60
            samples.append(sample(f"{minutes:.0f} min", number, *times.take()))
    alive = door.handle.stats().live
    door.now_ns += 3600 * SECOND
    door.tick()
    door.emit_over()
    yield from flat(samples, BOUNDS)
    stats = door.handle.stats()
    yield from accounts(
        stats, runs, count.runs, alive, [f"{n} at {site}" for site, n in stats.errors.items()]
    )
    yield Row("runs a second at the door", runs / (time.monotonic() - began_s))
