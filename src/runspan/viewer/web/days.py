"""The reader's days. The pages' script tells the browser's zone in a cookie; for everybody else a day is one of UTC."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from starlette.requests import Request

COOKIE = "runspan_zone"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{1,63}")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
QUARTER_S = 900  # all zones begin their days at one of these


def zone_of(request: Request) -> tzinfo:
    """UTC where the browser said nothing, or a zone that this machine does not know."""
    name = request.cookies.get(COOKIE, "").replace("%2F", "/")
    if not NAME.fullmatch(name):
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return timezone.utc


def name_of(zone: tzinfo) -> str:
    """As a reader knows it."""
    return getattr(zone, "key", "UTC")


def bounds_ns(day: date, zone: tzinfo) -> tuple[int, int]:
    """(begin, end) of the day in nanoseconds since 1970; (0, 0) of one outside all zones' calendars."""
    try:
        ends = [datetime(one.year, one.month, one.day, tzinfo=zone) for one in (day, day + timedelta(days=1))]
        begin, end = (int((at - EPOCH).total_seconds()) * 10**9 for at in ends)
    except (ValueError, OverflowError):
        return 0, 0
    return max(begin, 0), max(end, 0)


def today(now_s: float, zone: tzinfo) -> date:
    """The day of this moment."""
    return datetime.fromtimestamp(now_s, zone).date()


class Calendar:
    """The day and the hour of a moment, worked out once for each quarter of an hour."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._known: dict[int, tuple[str, str]] = {}

    def __call__(self, quarter: int) -> tuple[str, str]:
        """("2026-11-30", "2026-11-30 14:00") of quarters of an hour since 1970."""
        known = self._known.get(quarter)
        if known is None:
            at = (EPOCH + timedelta(seconds=quarter * QUARTER_S)).astimezone(self._zone)
            known = self._known[quarter] = at.strftime("%Y-%m-%d"), at.strftime("%Y-%m-%d %H:00")
        return known
