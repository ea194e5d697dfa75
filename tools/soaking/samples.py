"""What a process holds and how long its calls take, sampled as time goes on, and whether that is flat.

Flat: the median of the last third of the samples is no higher than that of the second third, but for a stated bound. The first
third is for warming up: caches fill until they are full.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from processes import memory_mb
from runspan.stats import Stats
from table import Row


@dataclass(frozen=True)
class Sample:
    at: str
    runs: int
    anon_mb: float
    threads: int
    files: int
    objects: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Bound:
    """By how much the last third may lie above the second: a share of that, or `slack`, whichever is more."""

    what: str
    of: Callable[[Sample], float]
    percent: float
    slack: float = 0.0


HELD = (
    Bound("anonymous memory, MB", lambda s: s.anon_mb, 3, 1.0),
    Bound("threads", lambda s: s.threads, 0),
    Bound("open files", lambda s: s.files, 0, 4),  # connections of the client's pool come and go
    Bound("objects of the collector", lambda s: s.objects, 3, 2_000),
)


class Times:
    """Of the calls since the last sample."""

    def __init__(self) -> None:
        self._taken = array("d")
        self.add = self._taken.append

    def take(self) -> tuple[float, float]:
        """p50 and p99 so far; from now on anew."""
        ordered = sorted(self._taken)
        self._taken = array("d")
        self.add = self._taken.append
        return (ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]) if ordered else (0.0, 0.0)


def sample(at: str, runs: int, p50: float, p99: float) -> Sample:
    """This process as it is now, garbage collected; printed, too."""
    gc.collect()
    files = len(os.listdir("/proc/self/fd")) - 1  # the listing's own
    gc.freeze()  # not `gc.get_objects`: tuples that other threads are just making can't be touched
    objects = gc.get_freeze_count()
    gc.unfreeze()
    taken = Sample(at, runs, memory_mb(), threading.active_count(), files, objects, p50, p99)
    said = (f"{name} {value:,.2f}" for name, value in vars(taken).items() if name != "at")
    print(at, *said, sep="  ", file=sys.stderr, flush=True)
    return taken


def flat(samples: Sequence[Sample], bounds: Sequence[Bound]) -> Iterator[Row]:
    """A row for each bound."""
    third = len(samples) // 3
    if not third:
        raise ValueError(f"{len(samples)} samples have no thirds")
    for bound in bounds:
        parts = (samples[third : 2 * third], samples[2 * third :])
        second, last = (median(map(bound.of, part)) for part in parts)
        may = max(second * bound.percent / 100, bound.slack)
        note = f"{second:,.2f} in the second third, {last:,.2f} in the last"
        yield Row(f"growth of {bound.what}", round(last - second, 3), "", round(may, 3), note=note)


def accounts(stats: Stats, asked: int, arrived: int, alive: int, faults: Sequence[str]) -> Iterator[Row]:
    """Each run that was asked for has one end, and each end one run span at the far end."""
    # Other causes count records, spans.
    lost = stats.dropped.get("error", 0) + stats.dropped.get("outbox_full", 0)
    out = stats.emitted + stats.unfinished
    note = (
        f"{stats.emitted:,} emitted + {stats.unfinished:,} unfinished + {stats.handed_off:,} handed off + {lost:,} dropped"
        f" + {stats.live:,} live of {stats.started:,}; {alive:,} were alive at the end"
    )
    gone = out + stats.handed_off + stats.live + lost
    yield Row("runs not accounted for", abs(stats.started - gone), "", 0, note=note)
    yield Row("runs asked for and not seen", abs(asked - stats.started), "", 0, note=f"{asked:,} asked for")
    note = f"{arrived:,} arrived; {dict(stats.dropped)}"
    yield Row("run spans missing at the receiver", abs(out - arrived), "", 0, note=note)
    note = f"{list(faults) or 'none'}; fetches {dict(stats.fetches)}"
    yield Row("errors of our own, and turns that failed", len(faults), "", 0, note=note)
