"""`make load`: 500 runs a second for a minute through the real Collector; where dropping begins; the real client's highest rate.

    python tools/load.py            all
    python tools/load.py 500 20     one rate, so many seconds

A run is that of `benches/heavy.py`: ten messages, run and generation and three tool spans. Its records are offered at the tracker's
door as the patches make them, on a thread of their own; the worker reads them, assembles, exports over OTLP/HTTP to a Collector
in another process. Numbers are of the machine it runs on, with whatever else runs there; the line at the top says how busy it was.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backends.installs import OTELCOL, CannotInstallError
from backends.otelcol import collector
from benches import heavy, rates
from benches.door import Door
from benches.table import Row, draw

WANTED, SECONDS = 500, 60
STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # times WANTED, a quarter of the time each, until something drops
CONFIG = Path(__file__).with_name("backends") / "load.yaml"
HTTP, OWN_METRICS = "http://127.0.0.1:34318", "http://127.0.0.1:34888/metrics"
TICK_S = 0.02
FLAT_MB = 48  # what a minute may add: caches of threads and emitted keys fill up to their bounds


def main(arguments: list[str]) -> int:
    logging.disable(logging.WARNING)
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before")
    try:
        OTELCOL.ensure()
    except CannotInstallError as error:
        print(f"SKIPPED: no Collector: {error}")
        return 1
    rows: list[Row] = []
    with collector(CONFIG, ready=OWN_METRICS):
        if arguments:
            rows += _rate(float(arguments[0]), float(arguments[1]), is_wanted=False)
        else:
            rows += _rate(WANTED, SECONDS, is_wanted=True)
            rows.append(_where_it_drops())
    if not arguments:
        rows += rates._client()
    print(draw(rows))
    return 0 if all(row.is_held for row in rows) else 1


def _rate(runs_a_s: float, seconds: float, *, is_wanted: bool) -> Iterator[Row]:
    told = _offer(runs_a_s, seconds)
    budget = 0 if is_wanted else None
    note = f"{told.offered:,} runs in {told.took_s:.0f} s, {told.arrived:,} of {told.offered * heavy.SPANS:,} spans arrived"
    name = f"{runs_a_s:.0f} runs a second for {seconds:.0f} s"
    yield Row(f"{name}: dropped", told.dropped, "", budget, note=f"{note}; {told.causes or 'no cause'}")
    yield Row(
        "  runs offered a second",
        told.offered / told.took_s,
        "",
        0.97 * runs_a_s if is_wanted else None,
        at_least=True,
    )
    yield Row("  missing and not counted", told.unexplained, "spans", 0)
    yield Row(
        "  memory added from the first third to the end", told.grown_mb, "MB", FLAT_MB if is_wanted else None
    )
    yield Row(
        "  processor time of a run, making its records included",
        told.cpu_us,
        "us",
        note=f"{told.cpu_us * runs_a_s / 1e4:.0f} % of a core at this rate",
    )
    yield Row(
        "  left in the queue when the offer ended",
        told.backlog,
        "records",
        note=f"out after {told.drained_s:.1f} s more",
    )


class Told:
    offered = dropped = arrived = unexplained = backlog = 0
    took_s = cpu_us = grown_mb = drained_s = 0.0
    causes: dict[str, int]


def _offer(runs_a_s: float, seconds: float) -> Told:
    """At that rate, from a thread of its own; flushed at the end, however long that takes."""
    told, before = Told(), _accepted()
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
        told.cpu_us = (time.process_time() - cpu) / max(1, told.offered) * 1e6
        told.grown_mb = _resident_mb() - (sizes or [_resident_mb()])[0]
        told.causes = dict(door.handle.stats().dropped)
        door.handle._providers.close()
    told.dropped = sum(told.causes.values())
    told.arrived = _accepted() - before - WARM * heavy.SPANS
    counted = heavy.SPANS * told.causes.get("outbox_full", 0) + sum(
        n for c, n in told.causes.items() if "span" in c
    )
    is_sure = not told.causes.get("queue_full")  # of records that were dropped nobody knows the spans
    told.unexplained = told.offered * heavy.SPANS - told.arrived - counted if is_sure else 0
    return told


WARM = 200


def _warm(door: Door) -> None:
    for number in range(WARM):
        for record in heavy.records(door, number):
            door.put(record)
    door.handle.flush(60)


def _where_it_drops() -> Row:
    held = 0.0
    for times in STEPS:
        rate = times * WANTED
        told = _offer(rate, SECONDS / 4)
        if told.dropped or told.offered < 0.97 * rate * SECONDS / 4:
            offered = told.offered / told.took_s
            note = (
                f"{told.causes or 'nothing dropped'}; offered {offered:.0f} a second; {held:.0f} still held"
            )
            return Row("dropping begins, or no more can be offered, at", rate, "runs/s", note=note)
        held = rate
    return Row("nothing drops up to", held, "runs/s")


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
