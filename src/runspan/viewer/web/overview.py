"""The overview: how runs went over time, how long they took, and what they cost by day, assistant, model and user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

from runspan.viewer.store import RunFilter, Store
from runspan.viewer.store.numbers import Group, grouped_over, totals
from runspan.viewer.web.charts import Chart, columns, histogram
from runspan.viewer.web.days import Calendar
from runspan.viewer.web.render import count, money, took

MAX_RUNS = 50_000  # the newest that the page sums up
# key -> (how it is written, its length, how many are shown at least, and at most)
STEPS = {
    "hour": ("%Y-%m-%d %H:00", timedelta(hours=1), 24, 48),
    "day": ("%Y-%m-%d", timedelta(days=1), 14, 31),
}
TIMES = {"latency_s": "Duration", "first_token_s": "Time to first token", "queue_s": "Time in the queue"}
MAX_ROWS = 20  # of one table
TABLES = ("assistant", "model", "user", "service")
# a column of the tables -> (its head, the number that it sorts by)
COLUMNS: Mapping[str, tuple[str, Callable[[Group], float | None]]] = {
    "runs": ("Runs", lambda group: group.runs),
    "bad": ("Errors", lambda group: group.failed),
    "p50": ("p50", lambda group: group.percentile("latency_s", 50)),
    "p95": ("p95", lambda group: group.percentile("latency_s", 95)),
    "first_token": ("First token p50", lambda group: group.percentile("first_token_s", 50)),
    "queue": ("Queue p50", lambda group: group.percentile("queue_s", 50)),
    "tokens_in": ("Tokens in", lambda group: group.sums["input_tokens"]),
    "tokens_out": ("Tokens out", lambda group: group.sums["output_tokens"]),
    "cost": ("Cost", lambda group: group.sums["cost_usd"]),
}
# the parameter of the list of runs that shows a group's runs
PARAMETERS = {"assistant": "name", "model": "model", "user": "user", "service": "service", "day": "day"}


@dataclass(frozen=True, slots=True)
class Overview:
    """All of the page. `tables`: by what -> its groups."""

    whole: Group
    charts: Sequence[Chart]
    tables: dict[str, list[Group]]
    is_cut: bool


def overview(
    store: Store,
    of: RunFilter,
    link: Callable[[str, str], str],
    zone: tzinfo = timezone.utc,
    sort: str = "runs",
    is_ascending: bool = False,
) -> Overview | None:
    """None where no run matches. `link`: (parameter, value) -> the address of the list of those runs.

    Days and hours are the zone's. `sort`: a key of `COLUMNS`, for the tables.
    """
    calendar = Calendar(zone)
    rows = [(*calendar(row[0]), *row[1:]) for row in store.number_rows(of, ("quarter", *TABLES), MAX_RUNS)]
    if not rows:
        return None
    keys = ("day", "hour", *TABLES)
    by = {key: grouped_over(rows, keys, (key,)) for key in keys}
    whole = totals(by["day"])
    days, hours = (_filled(by[key], key) for key in ("day", "hour"))
    key, times = ("hour", hours) if len(by["day"]) <= 2 else ("day", days)
    charts = [
        _runs(times, key, link),
        *(_times(whole, name, title) for name, title in TIMES.items()),
        _sum(
            times, key, "Tokens", lambda g: g.sums["input_tokens"], lambda g: g.sums["output_tokens"], count
        ),
        _sum(times, key, "Cost", lambda g: g.sums["cost_usd"], None, money),
    ]
    tables = {key: _table(by[key], key, sort, is_ascending) for key in TABLES}
    return Overview(whole, [chart for chart in charts if chart], tables, len(rows) >= MAX_RUNS)


def _filled(groups: Sequence[Group], key: str) -> list[Group]:
    """By time, with the empty hours or days between, and enough before them that one alone is no wall."""
    form, step, least, most = STEPS[key]
    known = {group.keys[key]: group for group in groups}
    last = datetime.strptime(max(known), form).replace(tzinfo=timezone.utc)
    first = datetime.strptime(min(known), form).replace(tzinfo=timezone.utc)
    length = min(max((last - first) // step + 1, least), most)
    labels = [(last - step * back).strftime(form) for back in range(length - 1, -1, -1)]
    return [known.get(label) or Group({key: label}) for label in labels]


def _table(groups: list[Group], key: str, sort: str, is_ascending: bool) -> list[Group]:
    """The first groups in this order, those without the number last; none where all are of one kind that says nothing."""
    named = [group for group in groups if group.keys[key]]
    if len(groups) == 1 and not named:
        return []
    number = COLUMNS[sort][1]
    known = [(value, group) for group in named if (value := number(group)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=not is_ascending)
    return [*(group for _, group in known), *(group for group in named if number(group) is None)][:MAX_ROWS]


def _runs(groups: Sequence[Group], key: str, link: Callable[[str, str], str]) -> Chart:
    values = {
        group.keys[key]: {"bad": float(group.failed), "good": float(group.runs - group.failed)}
        for group in groups
    }
    written = {g.keys[key]: f"{g.runs:,} runs, {g.failed:,} with a bad end" for g in groups}
    links = {name: link("day", name[:10]) for name in values}
    most = max(group.runs for group in groups)
    return columns("Runs and errors", values, written, f"{most:,}", links)


def _times(whole: Group, name: str, title: str) -> Chart | None:
    seconds = whole.times[name]
    if not seconds:
        return None
    marks = {
        f"p{p} {took(value)}": value for p in (50, 95, 99) if (value := whole.percentile(name, p)) is not None
    }
    return histogram(title, seconds, marks, {"low": took(min(seconds)), "high": took(max(seconds))})


def _sum(
    groups: Sequence[Group],
    key: str,
    title: str,
    below: Callable[[Group], float | None],
    above: Callable[[Group], float | None] | None,
    write: Callable[[float | None], str],
) -> Chart | None:
    pairs = {g.keys[key]: (below(g) or 0.0, (above(g) or 0.0) if above else 0.0) for g in groups}
    if not any(map(sum, pairs.values())):
        return None
    values = {name: {"in": low, "out": high} for name, (low, high) in pairs.items()}
    written = {
        name: f"{write(low)} in, {write(high)} out" if above else write(low)
        for name, (low, high) in pairs.items()
    }
    return columns(title, values, written, write(max(map(sum, pairs.values()))))
