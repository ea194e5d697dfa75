"""How long a run is waited for, and when its owner looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.core.words import SERVER, A, S
from tests.runtime.desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda **options: Desk(monkeypatch, **options)


def look_times(desk: Desk, seconds: int, status: str = "in_progress", run_id: str = "run_1") -> list[int]:
    """The seconds at which the owner looked, each look finding `status`."""
    started_ns, times = desk.now_ns, []
    for _ in range(seconds):
        desk.wait(1)
        for asked_id, what in desk.fetcher.asked:
            assert (asked_id, what) == (run_id, "run")
            times.append((desk.now_ns - started_ns) // S)
            desk.answer("run", run_id, status)
        desk.fetcher.asked.clear()
    return times


def test_an_owner_that_hears_nothing_looks_after_a_minute_then_ever_less_often(make: Make) -> None:
    desk = make()
    desk.begin(expires_at=A + 1_000)
    assert look_times(desk, 1_059) == [60, 180, 420, 900]
    assert desk.emitted == []
    desk.wait(2)
    assert desk.emitted == [("run_1", "expired_unseen")]


def test_a_run_that_the_app_polls_is_never_looked_at(make: Make) -> None:
    desk = make()
    desk.begin()
    for _ in range(200):
        desk.wait(5)
        if desk.tracker.live:
            desk.hear("in_progress")
    assert desk.fetcher.asked == []


def test_a_closed_stream_is_looked_at_once_after_the_linger(make: Make) -> None:
    desk = make(settle_s=1.0)
    live = desk.begin()
    stream = desk.stream(live)
    desk.wait(300)
    assert desk.fetcher.asked == [], "an open stream tells us"
    desk.close(live, stream)
    assert look_times(desk, 150) == [1, 61]
    desk.hear("completed")
    assert desk.emitted == []
    desk.wait(2)
    assert desk.fetcher.asked == [("run_1", "messages")]


def test_a_closed_stream_whose_run_is_found_over_is_emitted_whole(make: Make) -> None:
    desk = make(capture_content=False)
    live = desk.begin()
    desk.close(live, desk.stream(live))
    desk.wait(1.1)
    desk.answer("run", status="completed")
    assert desk.emitted == []
    desk.wait(1.1)
    assert desk.emitted == [("run_1", None)]


def test_a_closed_stream_without_a_client_to_ask_does_not_keep_us_busy(make: Make) -> None:
    desk = make(settle_s=1.0)
    live = desk.begin(via=False)
    desk.close(live, desk.stream(live))
    rings = 0
    while desk.tracker.live and rings < 1_000:
        due_ns = desk.scheduler.next_due_ns()
        assert due_ns is not None
        desk.now_ns = due_ns
        desk.scheduler.tick(due_ns)
        rings += 1
    assert rings < 30
    assert desk.emitted == [("run_1", "stream_closed")]


def test_a_stream_that_closes_while_tools_are_asked_for_is_not_closed_early(make: Make) -> None:
    desk = make()
    live = desk.begin()
    stream = desk.stream(live)
    desk.hear("requires_action")
    desk.close(live, stream)
    desk.tracker.emit_all()
    assert desk.emitted == [("run_1", "shutdown")]


def test_at_exit_what_lives_is_looked_at_once_and_goes_out(make: Make) -> None:
    desk = make()
    desk.begin()
    desk.scheduler.expedite(look=True, alive=True)
    desk.scheduler.expedite(look=False, alive=True)
    assert desk.fetcher.asked == [("run_1", "run")]
    assert desk.scheduler.is_waiting()
    desk.answer("run", status="in_progress")
    desk.scheduler.expedite(look=False, alive=True)
    assert desk.fetcher.asked == [("run_1", "run")]
    desk.tracker.emit_all()
    assert desk.emitted == [("run_1", "shutdown")]


def is_not_found(desk: Desk) -> None:
    found = desk.seen(run_id="run_1", gone="not_found")
    desk.tracker.observe(SERVER, found)


def test_a_run_that_its_server_does_not_know_goes_out_after_a_minute(make: Make) -> None:
    desk = make()
    desk.begin()
    is_not_found(desk)
    desk.wait(59)
    assert desk.emitted == []
    desk.wait(2)
    assert desk.emitted == [("run_1", "not_found")]
    assert desk.fetcher.asked == []


def test_a_run_that_its_server_does_not_know_yet_is_followed_on(make: Make) -> None:
    desk = make()
    live = desk.begin()
    is_not_found(desk)
    desk.wait(30)
    assert live.entry.touch("queued", desk.now_ns, desk.now_ns) is False
    assert live.entry.touch("queued", desk.now_ns, desk.now_ns), "a poll that shows nothing new"
    desk.wait(50)
    assert desk.emitted == []
    desk.hear("completed")
    assert live.ending("") is None


def test_a_flush_does_not_wait_for_a_run_that_is_not_found(make: Make) -> None:
    desk = make()
    desk.begin()
    is_not_found(desk)
    desk.scheduler.expedite(look=False, alive=False)
    assert desk.emitted == [("run_1", "not_found")]
