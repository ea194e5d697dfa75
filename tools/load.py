"""`make load`: 500 runs a second for a minute through the real Collector; where dropping begins; the real client's highest rate.

    python tools/load.py              all
    python tools/load.py 500 20       one process, one rate, so many seconds
    python tools/load.py 500 20 2     the same rate over two processes

A run is that of `benches/heavy.py`: ten messages, run and generation and three tool spans. Its records are offered at the tracker's
door as the patches make them, on a thread of their own; the worker reads them, assembles, exports over OTLP/HTTP to a Collector
in another process. Numbers are of the machine it runs on, with whatever else runs there; the line at the top says how busy it was.

All Python of one process runs one line at a time, so a process keeps up with what one core does: an app of 500 runs a second has
several, and the minute is offered to two, and once more to one alone.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from backends.installs import OTELCOL, CannotInstallError
from backends.otelcol import collector
from benches import heavy, rates
from benches.door import Door
from benches.table import Row, draw

WANTED, SECONDS = 500, 60
PROCESSES = 2
# Times WANTED, a quarter of the time each, until something drops.
STEPS = (0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0)
CONFIG = Path(__file__).with_name("backends") / "load.yaml"
HTTP, OWN_METRICS = "http://127.0.0.1:34318", "http://127.0.0.1:34888/metrics"
TICK_S = 0.02
FLAT_MB = 48  # what a minute may add to a process: caches of threads and emitted keys fill up to their bounds
WARM = 200
PART = "--part"  # one process of several, which prints what it has to tell as JSON


def main(arguments: list[str]) -> int:
    logging.disable(logging.WARNING)
    if arguments[:1] == [PART]:
        print(msgspec.json.encode(_offer(float(arguments[1]), float(arguments[2]))).decode())
        return 0
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before")
    try:
        OTELCOL.ensure()
    except CannotInstallError as error:
        print(f"SKIPPED: no Collector: {error}")
        return 1
    rows: list[Row] = []
    with collector(CONFIG, ready=OWN_METRICS):
        if arguments:
            rate, seconds, processes = (*map(float, arguments), 1)[:3]
            rows += _rate(rate, seconds, int(processes), is_wanted=False)
        else:
            rows += _rate(WANTED, SECONDS, PROCESSES, is_wanted=True)
            rows += _rate(WANTED, SECONDS, 1, is_wanted=False)
            rows += _where_it_drops()
    if not arguments:
        rows += rates._client()
    print(draw(rows))
    return 0 if all(row.is_held for row in rows) else 1


class Told(msgspec.Struct):
    """What became of an offer, to one process or to several together."""

    offered: int = 0
    causes: dict[str, int] = {}
    backlog: int = 0  # records in the queue when the offer ended
    took_s: float = 0.0
    cpu_s: float = 0.0
    grown_mb: float = 0.0  # of the one that grew most
    drained_s: float = 0.0
    arrived: int = 0

    @property
    def dropped(self) -> int:
        return sum(self.causes.values())

    @property
    def unexplained(self) -> int:
        """Spans missing and not counted. Of records that were dropped nobody knows the spans."""
        if self.causes.get("queue_full"):
            return 0
        counted = sum(n for cause, n in self.causes.items() if "span" in cause)
        counted += heavy.SPANS * self.causes.get("outbox_full", 0)
        return self.offered * heavy.SPANS - self.arrived - counted


def _rate(runs_a_s: float, seconds: float, processes: int, *, is_wanted: bool) -> Iterator[Row]:
    told = _together(runs_a_s, seconds, processes)
    budget = 0 if is_wanted else None
    note = f"{told.offered:,} runs in {told.took_s:.0f} s, {told.arrived:,} of {told.offered * heavy.SPANS:,} spans arrived"
    over = "one process" if processes == 1 else f"{processes} processes"
    name = f"{runs_a_s:.0f} runs a second for {seconds:.0f} s, {over}"
    yield Row(f"{name}: dropped", told.dropped, "", budget, note=f"{note}; {told.causes or 'no cause'}")
    least = 0.97 * runs_a_s if is_wanted else None
    yield Row("  runs offered a second", told.offered / told.took_s, "", least, at_least=True)
    yield Row("  missing and not counted", told.unexplained, "spans", 0)
    flat = FLAT_MB if is_wanted else None
    yield Row("  memory added from the first third to the end", told.grown_mb, "MB", flat)
    each_us = told.cpu_s / max(1, told.offered) * 1e6
    note = f"{each_us * runs_a_s / 1e4:.0f} % of a core at this rate"
    yield Row("  processor time of a run, making its records included", each_us, "us", note=note)
    note = f"out after {told.drained_s:.1f} s more"
    yield Row("  left in the queue when the offer ended", told.backlog, "records", note=note)


def _together(runs_a_s: float, seconds: float, processes: int) -> Told:
    """Each offered its part of that rate."""
    before = _accepted()
    command = [sys.executable, __file__, PART, str(runs_a_s / processes), str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)]
    parts = [msgspec.json.decode(one.communicate()[0], type=Told) for one in running]
    return Told(
        sum(part.offered for part in parts),
        dict(sum((Counter(part.causes) for part in parts), Counter())),
        sum(part.backlog for part in parts),
        max(part.took_s for part in parts),
        sum(part.cpu_s for part in parts),
        max(part.grown_mb for part in parts),
        max(part.drained_s for part in parts),
        _accepted() - before - processes * WARM * heavy.SPANS,
    )


def _offer(runs_a_s: float, seconds: float) -> Told:
    """At that rate, from a thread of its own; flushed at the end, however long that takes."""
    told = Told()
    with _own_provider():
        door = Door(None, simulated=False)
        _warm(door)
        cpu, began, sizes = time.process_time(), time.monotonic(), []

        def offer() -> None:
            while (now := time.monotonic()) < began + seconds:
                due = int((now - began) * runs_a_s)
                while told.offered < due:
                    for record in heavy.records(door, told.offered + WARM):
                        door.put(record)
                    told.offered += 1
                if not sizes and now > began + seconds / 3:
                    sizes.append(_resident_mb())
                time.sleep(TICK_S)

        thread = threading.Thread(target=offer)
        thread.start()
        thread.join()
        told.took_s, told.backlog = time.monotonic() - began, door.handle._worker._queue.qsize()
        ended = time.monotonic()
        door.handle.flush(120)
        told.drained_s = time.monotonic() - ended
        told.cpu_s = time.process_time() - cpu
        told.grown_mb = _resident_mb() - (sizes or [_resident_mb()])[0]
        told.causes = {cause: count for cause, count in door.handle.stats().dropped.items() if count}
        door.handle._providers.close()
    return told


def _warm(door: Door) -> None:
    for number in range(WARM):
        for record in heavy.records(door, number):
            door.put(record)
    door.handle.flush(60)


def _where_it_drops() -> Iterator[Row]:
    """Up to where the worker keeps up, a second's records behind at most; from where on the queue is full."""
    kept = 0.0
    for times in STEPS:
        rate = times * WANTED
        told = _together(rate, SECONDS / 4, 1)
        if told.backlog <= heavy.RECORDS * rate:
            kept = rate
        if told.dropped or told.offered < 0.97 * rate * SECONDS / 4:
            yield Row("the worker keeps up with", kept, "runs/s")
            offered = told.offered / told.took_s
            note = f"{told.causes or 'nothing dropped'}; offered {offered:.0f} a second"
            yield Row("dropping begins, or no more can be offered, at", rate, "runs/s", note=note)
            return
    yield Row("the worker keeps up with", kept, "runs/s")
    yield Row("nothing drops up to", rate, "runs/s")


@contextmanager
def _own_provider() -> Iterator[None]:
    """runspan's own provider, to the Collector."""
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = HTTP
    try:
        yield
    finally:
        del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


def _accepted() -> int:
    """Spans that the Collector has taken so far."""
    with urllib.request.urlopen(OWN_METRICS, timeout=10) as response:
        text = response.read().decode()
    found = re.findall(r"^otelcol_receiver_accepted_spans\w*\{.*\} (\S+)$", text, re.MULTILINE)
    return int(sum(map(float, found)))


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
