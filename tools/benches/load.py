"""`make load`: 500 runs a second for a minute through the real Collector, and where dropping begins.

A run is that of `benches/heavy.py`: ten messages, run and generation and three tool spans. Its records are offered at the tracker's
door as the patches make them, on a thread of their own; the worker reads them, assembles, exports over OTLP/HTTP to a Collector
in another process. All Python of one process runs one line at a time, so a process keeps up with what one core does: an app of
500 runs a second has several, and the minute is offered to two, and once more to one alone.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from backends.installs import OTELCOL
from backends.otelcol import collector
from benches.door import Door
from benches.heavy import RECORDS, SPANS, records
from table import Row

WANTED, SECONDS, PROCESSES = 500, float(os.environ.get("LOAD_SECONDS", "60")), 2
# Times WANTED, a quarter of the time each, until something drops.
STEPS = (0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0)
CONFIG = Path(__file__).with_name("load.yaml")
HTTP, OWN_METRICS = "http://127.0.0.1:24418", "http://127.0.0.1:24488/metrics"
TICK_S = 0.02
WARM = 200


def rows() -> Iterator[Row]:
    OTELCOL.ensure()
    with collector(CONFIG, ready=OWN_METRICS):
        yield from _rate(WANTED, SECONDS, PROCESSES, is_wanted=True)
        yield from _rate(WANTED, SECONDS, 1, is_wanted=False)
        yield from _where_it_drops()


@dataclass
class Offer:
    """What became of an offer to one process."""

    offered: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    backlog: int = 0  # records in the queue when the offer ended
    took_s: float = 0.0
    cpu_s: float = 0.0
    drained_s: float = 0.0


def _rate(runs_a_s: float, seconds: float, processes: int, *, is_wanted: bool) -> Iterator[Row]:
    offers, arrived = _together(runs_a_s, seconds, processes)
    offered, took_s = sum(one.offered for one in offers), max(one.took_s for one in offers)
    causes = sum((Counter(one.causes) for one in offers), Counter())
    over = "one process" if processes == 1 else f"{processes} processes"
    note = f"{offered:,} runs in {took_s:.0f} s, {arrived:,} of {offered * SPANS:,} spans arrived; {dict(causes)}"
    name = f"{runs_a_s:.0f} runs a second for {seconds:.0f} s, {over}"
    yield Row(f"{name}: dropped", causes.total(), "", 0 if is_wanted else None, note=note)
    least = 0.97 * runs_a_s if is_wanted else None
    yield Row("  runs offered a second", offered / took_s, "", least, at_least=True)
    if not causes["queue_full"]:  # of records that were dropped nobody knows the spans
        counted = sum(n for cause, n in causes.items() if "span" in cause) + SPANS * causes["outbox_full"]
        yield Row("  missing and not counted", offered * SPANS - arrived - counted, "spans", 0)
    each_us = sum(one.cpu_s for one in offers) / max(1, offered) * 1e6
    note = f"{each_us * runs_a_s / 1e4:.0f} % of a core at this rate"
    yield Row("  processor time of a run, making its records included", each_us, "us", note=note)
    note = f"out after {max(one.drained_s for one in offers):.1f} s more"
    yield Row(
        "  left in the queue when the offer ended", sum(one.backlog for one in offers), "records", note=note
    )


def _together(runs_a_s: float, seconds: float, processes: int) -> tuple[list[Offer], int]:
    """Each offered its part of that rate; and the spans that arrived."""
    before = _accepted()
    command = [sys.executable, "-m", "benches.load", str(runs_a_s / processes), str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)]
    offers = [Offer(**json.loads(one.communicate()[0])) for one in running]
    return offers, _accepted() - before - processes * WARM * SPANS


def _offer(runs_a_s: float, seconds: float) -> Offer:
    """At that rate, from a thread of its own; flushed at the end, however long that takes."""
    offer = Offer()
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = HTTP
    door = Door()  # runspan's own provider
    for number in range(WARM):
        _put(door, number)
    door.handle.flush(60)
    cpu, began = time.process_time(), time.monotonic()

    def put_all() -> None:
        while (now := time.monotonic()) < began + seconds:
            while offer.offered < int((now - began) * runs_a_s):
                _put(door, offer.offered + WARM)
                offer.offered += 1
            time.sleep(TICK_S)

    thread = threading.Thread(target=put_all)
    thread.start()
    thread.join()
    offer.took_s, offer.backlog, ended = time.monotonic() - began, door.queued, time.monotonic()
    door.handle.flush(120)
    offer.drained_s, offer.cpu_s = time.monotonic() - ended, time.process_time() - cpu
    offer.causes = {cause: count for cause, count in door.handle.stats().dropped.items() if count}
    door.handle._providers.close()
    return offer


def _put(door: Door, number: int) -> None:
    for record in records(door, number):
        door.put(record)


def _where_it_drops() -> Iterator[Row]:
    """Up to where the worker keeps up, a second's records behind at most; from where on the queue is full."""
    kept = 0.0
    for rate in (times * WANTED for times in STEPS):
        (offer,), _ = _together(rate, SECONDS / 4, 1)
        if offer.backlog <= RECORDS * rate:
            kept = rate
        if offer.causes or offer.offered < 0.97 * rate * SECONDS / 4:
            break
    yield Row("the worker keeps up with", kept, "runs/s")
    note = f"{offer.causes or 'nothing dropped'}; offered {offer.offered / offer.took_s:.0f} a second"
    yield Row("the highest rate tried: dropping begins, or no more can be offered", rate, "runs/s", note=note)


def _accepted() -> int:
    """Spans that the Collector has taken so far."""
    with urllib.request.urlopen(OWN_METRICS, timeout=10) as response:
        text = response.read().decode()
    found = re.findall(r"^otelcol_receiver_accepted_spans\w*\{.*\} (\S+)$", text, re.MULTILINE)
    return int(sum(map(float, found)))


if __name__ == "__main__":  # one process of several, which prints what it has to tell
    logging.disable(logging.WARNING)
    print(json.dumps(asdict(_offer(float(sys.argv[1]), float(sys.argv[2])))))
