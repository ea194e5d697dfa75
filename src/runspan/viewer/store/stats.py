"""Runs in short, by assistant and model: what `Store.stats` gives to programs. The numbers are those of `numbers.py`."""

from __future__ import annotations

from typing import NamedTuple

from runspan.viewer.store.numbers import Group

BY = ("assistant", "model")


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


def stat(group: Group) -> Stat:
    """From a group by `BY`."""
    p50_s, p95_s, p99_s = (group.percentile("latency_s", percent) or 0.0 for percent in (50, 95, 99))
    given, got = (group.sums[name] for name in ("input_tokens", "output_tokens"))
    return Stat(
        group.keys["assistant"], group.keys["model"], group.runs, group.failed, p50_s, p95_s, p99_s,
        group.percentile("queue_s", 50), None if given is None else int(given), None if got is None else int(got),
        group.sums["cost_usd"],
    )  # fmt: skip
