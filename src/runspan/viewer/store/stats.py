"""Runs in numbers: how many, how long, what they cost, by assistant and model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from runspan.viewer.store.summary import total

FAILED = frozenset({"failed", "expired"})
COLUMNS = "name, model, duration_ns, status, queue_s, input_tokens, output_tokens, cost"


class Stat(NamedTuple):
    """One assistant with one model. Seconds; None where no run says anything. `p95_s`: 95 of 100 runs took no longer."""

    name: str
    model: str
    runs: int
    failed: int
    p50_s: float
    p95_s: float
    p99_s: float
    queue_p50_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None


def stats(rows: Iterable[Sequence[Any]]) -> list[Stat]:
    """From rows of `COLUMNS`, ordered by name, model and duration; the groups with most runs first."""
    found = [
        _stat(name, model, list(group))
        for (name, model), group in groupby(rows, lambda row: (row[0], row[1]))
    ]
    return sorted(found, key=lambda stat: -stat.runs)


def _stat(name: str, model: str, rows: list[Sequence[Any]]) -> Stat:
    seconds = [row[2] / 1e9 for row in rows]
    queued = sorted(row[4] for row in rows if row[4] is not None)
    return Stat(
        name,
        model,
        len(rows),
        sum(row[3] in FAILED for row in rows),
        percentile(seconds, 0.5),
        percentile(seconds, 0.95),
        percentile(seconds, 0.99),
        percentile(queued, 0.5) if queued else None,
        total(row[5] for row in rows),
        total(row[6] for row in rows),
        total(row[7] for row in rows),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
