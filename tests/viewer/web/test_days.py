"""Days are the reader's: those of the zone that the browser told, and UTC's where it told none."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timezone
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from runspan.viewer import Viewer
from runspan.viewer.web import asking, days

from ..runs import a_run
from ..wire import Answer, call

Get = Callable[[str], Answer]
Send = Callable[..., None]
HOUR_MS = 3_600_000
TOKYO = {"Cookie": "runspan_zone=Asia/Tokyo"}  # nine hours ahead: the runs at 10:00 UTC are there at 19:00


def request(query: str = "", cookie: str = "") -> Request:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    return Request(
        {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": headers}
    )


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Asia/Tokyo", "Asia/Tokyo"), ("Asia%2FTokyo", "Asia/Tokyo"), ("Etc/GMT+5", "Etc/GMT+5"), ("", "UTC"), ("Mars/Base", "UTC"),
        ("../../etc/passwd", "UTC"), ("/etc/passwd", "UTC"), ("Asia", "UTC"), ("Asia/../Asia/Tokyo", "UTC"), ("a" * 500, "UTC"),
    ],
)  # fmt: skip
def test_a_zone_is_one_that_exists(told: str, name: str) -> None:
    assert days.name_of(days.zone_of(request(cookie=f"runspan_zone={told}"))) == name


def test_a_day_with_another_hour_is_whole() -> None:
    begin, end = days.bounds_ns(date(2026, 3, 29), ZoneInfo("Europe/Paris"))
    assert (end - begin) // 10**9 == 23 * 3_600
    assert days.bounds_ns(date(1, 1, 1), timezone.utc) == (0, 0)
    assert days.bounds_ns(date.max, timezone.utc) == (0, 0)


def test_a_day_is_filtered_in_the_readers_zone(viewer: Viewer, get: Get, send: Send) -> None:
    send(*a_run(1, "the evening"), *a_run(2, "the night", at_ms=6 * HOUR_MS))

    def shown(path: str, headers: dict[str, str]) -> list[str]:
        return re.findall(r"the (\w+)</span>", call(viewer.port, "GET", path, headers=headers).text)

    assert shown("/?day=2026-01-05", {}) == ["night", "evening"]
    assert shown("/?day=2026-01-05", TOKYO) == ["evening"]
    assert shown("/?day=2026-01-06", TOKYO) == ["night"]
    page = call(viewer.port, "GET", "/overview", headers=TOKYO).text
    assert "those of Asia/Tokyo" in page
    assert 'aria-label="2026-01-06 01:00: 1 runs' in page
    assert "those of UTC" in get("/overview").text
    assert 'aria-label="2026-01-05 16:00: 1 runs' in get("/overview").text


@pytest.mark.parametrize(
    ("query", "zone", "bounds"),
    [
        ("since=today", "UTC", ("2026-01-05 00:00", "2026-01-06 00:00")),
        ("since=yesterday", "UTC", ("2026-01-04 00:00", "2026-01-05 00:00")),
        ("since=today", "Asia/Tokyo", ("2026-01-05 15:00", "2026-01-06 15:00")),
        ("since=yesterday", "Asia/Tokyo", ("2026-01-04 15:00", "2026-01-05 15:00")),
        ("since=today&day=2026-01-05", "UTC", ("2026-01-05 00:00", "2026-01-06 00:00")),
        (
            "since=yesterday&day=2026-01-05",
            "UTC",
            ("2026-01-05 00:00", "2026-01-05 00:00"),
        ),  # no moment is in both
    ],
)
def test_today_and_yesterday_are_whole_days(
    monkeypatch: pytest.MonkeyPatch, query: str, zone: str, bounds: tuple[str, str]
) -> None:
    now_s = 1_767_636_000.0  # 2026-01-05, 18:00 UTC
    monkeypatch.setattr(asking, "time", SimpleNamespace(time=lambda: now_s))
    wanted = asking.asked(request(query, f"runspan_zone={zone}"))
    ends = (wanted.of.since_ns, wanted.of.until_ns)
    assert (
        tuple(f"{days.EPOCH.fromtimestamp(ns / 1e9, timezone.utc):%Y-%m-%d %H:%M}" for ns in ends) == bounds
    )
    assert wanted.chips[0][1] == "day"
    assert asking.asked(request("q=today")).chips == [("q", "text", "today")]
