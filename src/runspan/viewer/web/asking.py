"""What a list's address asks for: its parameters as a filter, the same for the pages, the JSON API and exports."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from starlette.requests import Request

from runspan.viewer.store import RunFilter
from runspan.viewer.store.filters import EQUAL, SORTS
from runspan.viewer.web import days

SINCE_S: Mapping[str, int] = {"1h": 3_600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
DAYS_AGO: Mapping[str, int] = {"today": 0, "yesterday": 1}  # whole days of the reader's
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m|h)?")
UNITS_S: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}
MAX_TEXT = 500
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# parameter -> how a chip names it
LABELS: Mapping[str, str] = {
    "q": "text", "errors": "only", "status": "status", "name": "assistant", "model": "model", "service": "service",
    "session": "session", "user": "user", "thread": "thread", "attr": "attribute", "min": "longer than", "since": "since",
    "day": "day",
}  # fmt: skip


# column -> how a choice of it reads, downwards
SORTED_BY: Mapping[str, str] = {
    "start": "Newest first", "last": "Newest first", "duration": "Longest first", "queue": "Longest queue first",
    "first_token": "Slowest first token first", "tokens": "Most tokens first", "cost": "Most expensive first",
    "spans": "Most spans first", "errors": "Most errors first", "bad": "Most errors first", "runs": "Most runs first",
    "busy": "Longest running time first", "p50": "Longest p50 first", "p95": "Longest p95 first",
    "tokens_in": "Most tokens in first", "tokens_out": "Most tokens out first",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """`shown`: the parameters that narrow the list, as they were given. `sort`: a column's name; empty for the default."""

    of: RunFilter
    shown: Mapping[str, str]
    sort: str
    is_ascending: bool
    sorts: tuple[str, ...] = ()  # the columns that this list can be sorted by, the default first

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """(parameter, label, value) of each filter that is on."""
        return [
            (
                key,
                "day" if value in DAYS_AGO and key == "since" else label,
                "errors" if key == "errors" else value,
            )
            for key, label in LABELS.items()
            if (value := self.shown.get(key))
        ]

    @property
    def is_resorted(self) -> bool:
        """Whether the list stands in another order than its own."""
        return self.is_ascending or self.sort != self.sorts[0]

    @property
    def order(self) -> str:
        """How the order reads: `Longest first`, or `Longest last`."""
        downwards = SORTED_BY[self.sort]
        return downwards.removesuffix("first") + "last" if self.is_ascending else downwards


def asked(request: Request, sorts: Mapping[str, Any] = SORTS, default: str = "start") -> Asked:
    """The filter in the request's address. What can not be understood is left out."""
    given = {key: value[:MAX_TEXT] for key, value in request.query_params.items() if value}
    shown = {key: given[key] for key in LABELS if key in given}
    equal: dict[str, Any] = {name: given.get(name, "") for name in EQUAL}
    least_s = seconds(given.get("min", ""))
    if not least_s:
        shown.pop("min", None)
    since_ns, until_ns = 0, 0
    zone, now_s, since = days.zone_of(request), time.time(), given.get("since", "")
    if since in SINCE_S:
        since_ns = int((now_s - SINCE_S[since]) * 1e9)
    elif since in DAYS_AGO:
        day = days.today(now_s, zone) - timedelta(days=DAYS_AGO[since])
        since_ns, until_ns = days.bounds_ns(day, zone)
    else:
        shown.pop("since", None)
    begin, end = days.bounds_ns(asked_day, zone) if (asked_day := _day(given.get("day", ""))) else (0, 0)
    if end:
        since_ns, until_ns = max(since_ns, begin), min(until_ns or end, end)
    else:
        shown.pop("day", None)
    sort = given["sort"] if given.get("sort") in sorts else default
    of = RunFilter(
        words=given.get("q", ""),
        **equal,
        attribute=given.get("attr", ""),
        is_bad="errors" in given,
        since_ns=since_ns,
        until_ns=until_ns,
        min_duration_ns=int(least_s * 1e9),
        sort=sort if sort in SORTS else "start",
        is_ascending=given.get("order") == "asc",
    )
    return Asked(of, shown, sort, of.is_ascending, tuple(dict.fromkeys((default, *sorts))))


def seconds(text: str) -> float:
    """`500ms`, `5s`, `2m` or a number of seconds; 0 for what is none."""
    match = DURATION.fullmatch(text.strip())
    return float(match[1]) * UNITS_S[match[2] or "s"] if match else 0.0


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None
