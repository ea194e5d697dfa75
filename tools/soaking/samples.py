"""What a process holds and how long its calls take, sampled as time goes on, and whether that is flat.

Flat: the median of the last third of the samples is no higher than that of the second third, but for a stated bound. The first
third is for warming up: caches fill until they are full.
"""

from __future__ import annotations

import gc
import os
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

from benches.table import Row

SETTLING = 3  # samples below which there are no thirds


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
    bare_p50: float = 0.0  # of the same calls past runspan
    bare_p99: float = 0.0

    @property
    def added_p50(self) -> float:
        """The calls beside the same ones past runspan: what else the machine does is in both."""
        return self.p50 / self.bare_p50 if self.bare_p50 else 0.0

    @property
    def added_p99(self) -> float:
        return self.p99 / self.bare_p99 if self.bare_p99 else 0.0


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

    def add(self, value: float) -> None:
        self._taken.append(value)

    def take(self) -> tuple[float, float]:
        """p50 and p99 so far; from now on anew."""
        ordered = sorted(self._taken)
        self._taken = array("d")
        return (_share(ordered, 0.5), _share(ordered, 0.99)) if ordered else (0.0, 0.0)


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def sample(at: str, runs: int, times: Times, bare: Times | None = None) -> Sample:
    """This process as it is now, garbage collected."""
    gc.collect()
    files = len(os.listdir("/proc/self/fd")) - 1  # the listing's own
    objects = _tracked()
    p50, p99 = times.take()
    more = bare.take() if bare is not None else (0.0, 0.0)
    return Sample(at, runs, _anon_mb(), threading.active_count(), files, objects, p50, p99, *more)


def _tracked() -> int:
    """Objects that the collector knows. Not `gc.get_objects`: tuples that other threads are just making can't be touched."""
    gc.freeze()
    try:
        return gc.get_freeze_count()
    finally:
        gc.unfreeze()


def _anon_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def thirds(samples: Sequence[Sample], of: Callable[[Sample], float]) -> tuple[float, float]:
    """Medians of the second third and of the last."""
    third = len(samples) // 3
    return median(map(of, samples[third : 2 * third])), median(map(of, samples[2 * third :]))


def flat(samples: Sequence[Sample], bounds: Sequence[Bound]) -> Iterator[Row]:
    """A row for each bound."""
    if len(samples) < SETTLING:
        raise ValueError(f"{len(samples)} samples have no thirds")
    for bound in bounds:
        second, last = thirds(samples, bound.of)
        may = max(second * bound.percent / 100, bound.slack)
        note = f"{second:,.2f} in the second third, {last:,.2f} in the last"
        yield Row(f"growth of {bound.what}", round(last - second, 3), "", round(may, 3), note=note)


def draw_samples(samples: Sequence[Sample]) -> str:
    """The table of all samples, one a line; columns that say nothing are left out."""
    names = [f.name for f in fields(Sample)]
    shown = [name for name in names if any(getattr(s, name) for s in samples)]
    cells = [shown, *([_cell(getattr(s, name)) for name in shown] for s in samples)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(shown))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells
    )


def _cell(value: object) -> str:
    return (
        f"{value:,.2f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
