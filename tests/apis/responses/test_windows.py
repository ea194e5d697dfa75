"""How long a response is waited for, and when its owner looks: by the window that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.apis import APIS
from runspan.apis.api import Exchange, Match
from runspan.apis.responses import objects, readers, routes
from runspan.core.model import Source
from runspan.runtime.live_run import Live
from tests.core.words import SERVER, S
from tests.runtime.desk import Desk

Make = Callable[..., Desk]
API = APIS.chosen(lambda _: "background").named("responses")
HOUR = 3_600


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda **options: Desk(monkeypatch, **options)


def told(desk: Desk, match: Match, status: str, id_: str, source: Source = Source.CALL, **body: Any) -> Any:
    said = {"id": id_, "object": "response", "status": status, "background": True, "model": "m"}
    exchange = Exchange(match, desk.now_ns, desk.now_ns, body, {}, said, source)
    return match.route.read(exchange)


def begin(desk: Desk, id_: str = "resp_1", **body: Any) -> Live:
    body = {"model": "m", "input": "6 times 7?", "background": True, **body}
    first = told(desk, routes.NEW, "queued", id_, **body)
    call = replace(desk.call(id_), api=API, match=routes.NEW)
    live = desk.tracker.begin(call, objects.request(body, False), first)
    assert live is not None
    desk.tracker.observe(SERVER, first)
    return live


def look(desk: Desk, status: str, id_: str = "resp_1", source: Source = Source.CALL) -> None:
    match = Match(replace(routes.NEW.route, read=readers.run), run_id=id_)
    desk.tracker.observe(SERVER, told(desk, match, status, id_, source))


def look_times(desk: Desk, seconds: int) -> list[int]:
    """The seconds at which the owner looked, each look finding it at work."""
    started_ns, times = desk.now_ns, []
    while desk.now_ns < started_ns + seconds * S:
        due_ns = desk.scheduler.next_due_ns()
        desk.wait(max(1.0, ((due_ns or desk.now_ns) - desk.now_ns) / S))
        for id_, _ in desk.fetcher.asked:
            times.append((desk.now_ns - started_ns) // S)
            (key,) = [k for k in desk.tracker._live if k.run_id == id_]
            look(desk, "in_progress", source=Source.FETCH)
            desk.tracker.fetched(key, "run", None)
        desk.fetcher.asked.clear()
    return times


WINDOWS = {  # completion_window -> time to live in seconds, the longest silence between two looks
    "soonest": (660, 75),
    "2h": (2 * HOUR + 60, 900),
    "8h": (8 * HOUR + 60, HOUR),
}


@pytest.mark.parametrize("window", WINDOWS)
def test_its_time_to_live_is_its_window(make: Make, window: str) -> None:
    desk = make(fetch="never")
    begin(desk, background_options={"completion_window": window})
    desk.wait(WINDOWS[window][0] - 1)
    assert desk.emitted == []
    desk.wait(2)
    assert desk.emitted == [("resp_1", "expired_unseen")]


@pytest.mark.parametrize("window", WINDOWS)
def test_the_owner_looks_after_a_minute_then_less_often_up_to_an_eighth_of_the_window(
    make: Make, window: str
) -> None:
    desk = make()
    begin(desk, background_options={"completion_window": window})
    life_s, longest_s = WINDOWS[window]
    times = look_times(desk, life_s - 1)
    gaps = [b - a for a, b in zip([0, *times], times, strict=False)]
    expected = [60]
    while sum(expected) + min(expected[-1] * 2, longest_s) < life_s:
        expected.append(min(expected[-1] * 2, longest_s))
    assert gaps == expected


def test_what_the_app_still_polls_lives_on(make: Make) -> None:
    """A deep research may take an hour, though the server promised it soon."""
    desk = make(fetch="never")
    begin(desk)
    for _ in range(12):
        desk.wait(300)
        look(desk, "in_progress")
    assert desk.emitted == []
    desk.wait(661)
    assert desk.emitted == [("resp_1", "expired_unseen")]


@pytest.mark.wide
def test_ten_thousand_are_open_for_eight_hours_within_the_bounds(make: Make) -> None:
    desk = make()
    for n in range(10_000):
        begin(desk, f"resp_{n}", background_options={"completion_window": "8h"}, input="x" * 1_000)
    tracker = desk.tracker
    assert tracker.live == 10_000
    assert tracker._weight + tracker._logs.weight <= 64_000_000
    desk.wait(8 * HOUR)
    assert tracker.live == 10_000
    assert len(desk.scheduler._timers) <= 2 * 10_000 + 1_000
    for n in range(10_000):
        look(desk, "completed", f"resp_{n}")
    assert (tracker.live, len(desk.emitted)) == (0, 10_000)
    assert (tracker._weight, tracker._logs.weight) == (0, 0)
    assert len(tracker._logs._past) <= 2_000
