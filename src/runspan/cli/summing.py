"""Runs of a store in groups, with sums and percentiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .selection import Selection
from .source import Source

# what can be grouped by -> its column in the store's table of runs
BY: Mapping[str, str] = {
    "assistant": "name",
    "model": "model",
    "status": "status",
    "service": "service",
    "session": "session",
    "user": "user",
}
BAD = frozenset({"failed", "expired"})
PERCENTILES = (50, 90, 95, 99)
# what is summed, and what has percentiles -> column
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
    """`sums` and `times` hold what is known of each run; `unknown` counts the others."""

    keys: Mapping[str, str]
    statuses: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0
    sums: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(SUMS))
    unknown: Counter[str] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TIMES})

    @property
    def runs(self) -> int:
        return self.statuses.total()

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.statuses.items() if status in BAD)

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


def grouped(source: Source, chosen: Selection, by: Sequence[str]) -> list[Group]:
    """Runs (not model calls outside of any), the group with most of them first."""
    where, values = chosen.where()
    terms = ["sort = 'run'", *([where] if where else [])]
    if source.trace is not None:
        terms.append("trace = ?")
        values = (*values, bytes.fromhex(source.trace))
    columns = [*(BY[key] for key in by), "status", "unfinished", *SUMS.values(), *TIMES.values()]
    sql = f"SELECT {', '.join(columns)} FROM runs WHERE {' AND '.join(terms)}"  # noqa: S608 - names of ours
    groups: dict[tuple[str, ...], Group] = {}
    for row in source.store.select(sql, values):
        keys = tuple(row[: len(by)])
        group = groups.setdefault(keys, Group(dict(zip(by, keys, strict=True))))
        status, unfinished, *numbers = row[len(by) :]
        _add(group, status, unfinished, numbers)
    return sorted(groups.values(), key=lambda group: (-group.runs, tuple(group.keys.values())))


def _add(group: Group, status: str, unfinished: str, numbers: Sequence[float | None]) -> None:
    group.statuses[status] += 1
    group.unfinished += bool(unfinished)
    for name, value in zip(SUMS, numbers[: len(SUMS)], strict=True):
        if value is None:
            group.unknown[name] += 1
        else:
            group.sums[name] = (group.sums[name] or 0) + value
    for name, value in zip(TIMES, numbers[len(SUMS) :], strict=True):
        if value is not None:
            group.times[name].append(value)


def totals(groups: Iterable[Group]) -> Group:
    """All of them as one."""
    whole = Group({})
    for group in groups:
        whole.statuses += group.statuses
        whole.unfinished += group.unfinished
        whole.unknown += group.unknown
        for name, value in group.sums.items():
            if value is not None:
                whole.sums[name] = (whole.sums[name] or 0) + value
        for name, values in group.times.items():
            whole.times[name] += values
    return whole
