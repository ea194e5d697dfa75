"""Runs in groups, with sums and percentiles: the numbers of `runspan stats`, of the overview page and of the JSON API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runspan.viewer.endings import is_bad

# what can be grouped by -> its column, or an expression of columns
BY: Mapping[str, str] = {
    "assistant": "name",
    "model": "model",
    "status": "status",
    "service": "service",
    "session": "session",
    "user": "user",
    "day": "date(start_ns / 1000000000, 'unixepoch')",
    "hour": "strftime('%Y-%m-%d %H:00', start_ns / 1000000000, 'unixepoch')",
}
# for the pages besides: quarters of an hour since 1970, of which the days of any zone are made
_COLUMNS = {**BY, "quarter": "start_ns / 900000000000"}
PERCENTILES = (50, 90, 95, 99)
# What is summed -> column; a run inside another is part of that one's sums and not added again.
SUMS: Mapping[str, str] = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cached_tokens",
    "cost_usd": "cost",
}
TIMES: Mapping[str, str] = {
    "latency_s": "duration_ns / 1e9",
    "queue_s": "queue_s",
    "tool_wait_s": "tool_wait_s",
    "first_token_s": "first_token_s",
}


@dataclass(slots=True)
class Group:
    """`sums` and `times` hold what is known of each run; `unknown` counts the others. `failed` counts all bad ends."""

    keys: Mapping[str, str]
    statuses: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0
    failed: int = 0
    sums: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(SUMS))
    unknown: Counter[str] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TIMES})

    @property
    def runs(self) -> int:
        return self.statuses.total()

    def percentile(self, name: str, percent: float) -> float | None:
        return percentile(self.times[name], percent)

    def as_json(self) -> dict[str, Any]:
        times = {
            name: {f"p{p}": percentile(values, p) for p in PERCENTILES} | {"max": max(values, default=None)}
            for name, values in self.times.items()
        }
        return {
            **self.keys,
            "runs": self.runs,
            "failed": self.failed,
            "unfinished": self.unfinished,
            "statuses": dict(self.statuses.most_common()),
            **self.sums,
            "runs_without": {name: self.unknown[name] for name in SUMS},
            **times,
        }


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Between the two nearest values, in proportion; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def columns(by: Sequence[str]) -> str:
    """What `grouped` wants of each run."""
    sums = [f"CASE WHEN outer IS NULL THEN {column} END" for column in SUMS.values()]
    return ", ".join(
        [*(_COLUMNS[key] for key in by), "status", "unfinished", "error", "outer", *sums, *TIMES.values()]
    )


def grouped(rows: Iterable[Sequence[Any]], by: Sequence[str]) -> list[Group]:
    """From rows of `columns`; the group with most runs first."""
    groups: dict[tuple[str, ...], Group] = {}
    for row in rows:
        keys = tuple(row[: len(by)])
        group = groups.get(keys)
        if group is None:
            group = groups[keys] = Group(dict(zip(by, keys, strict=True)))
        _add(group, row[len(by) :])
    return sorted(groups.values(), key=lambda group: (-group.runs, tuple(group.keys.values())))


def grouped_over(rows: Iterable[Sequence[Any]], keys: Sequence[str], by: Sequence[str]) -> list[Group]:
    """From rows of `columns(keys)`, by some of these keys only, so that one query serves many tables."""
    places = [keys.index(key) for key in by]
    return grouped(([*(row[at] for at in places), *row[len(keys) :]] for row in rows), by)


def _add(group: Group, row: Sequence[Any]) -> None:
    status, unfinished, error, outer, *numbers = row
    group.statuses[status] += 1
    group.unfinished += bool(unfinished)
    group.failed += is_bad(status, unfinished, error)
    for name, value in zip(SUMS, numbers[: len(SUMS)], strict=True):
        if value is not None:
            group.sums[name] = (group.sums[name] or 0) + value
        elif outer is None:
            group.unknown[name] += 1
    for name, value in zip(TIMES, numbers[len(SUMS) :], strict=True):
        if value is not None:
            group.times[name].append(value)


def totals(groups: Iterable[Group]) -> Group:
    """All of them as one."""
    whole = Group({})
    for group in groups:
        whole.statuses += group.statuses
        whole.unfinished += group.unfinished
        whole.failed += group.failed
        whole.unknown += group.unknown
        for name, value in group.sums.items():
            if value is not None:
                whole.sums[name] = (whole.sums[name] or 0) + value
        for name, values in group.times.items():
            whole.times[name] += values
    return whole
