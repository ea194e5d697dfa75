"""Background GETs: few, patient, each answered once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from runspan.runtime import fetch
from runspan.runtime.fetch import Fetcher, Unavailable
from runspan.runtime.records import Fetched, Via

Get = Callable[[str], bytes | None]


class Desk:
    """A fetcher whose answers are collected, in a world where a fifth of a second is 20 ms."""

    def __init__(self) -> None:
        self.answers: list[Fetched] = []
        self.gets: list[tuple[float, str]] = []
        self.fetcher = Fetcher(self.answers.append)

    def ask(self, what: str, get: Get = lambda what: what.encode(), owner: int = 1) -> None:
        def wrapped(path: str, query: Mapping[str, Any], timeout_s: float) -> bytes | None:
            self.gets.append((time.monotonic(), what))
            assert timeout_s > 0
            return get(what)

        self.fetcher.ask(Via(owner, wrapped), "key", what, "/path", {})

    def wait_for(self, count: int, seconds: float = 5) -> bool:
        deadline_s = time.monotonic() + seconds
        while len(self.answers) < count and time.monotonic() < deadline_s:
            time.sleep(0.002)
        return len(self.answers) >= count


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(fetch, "INTERVAL_NS", 20_000_000)
    monkeypatch.setattr(fetch, "PAUSE_NS", 300_000_000)
    desk = Desk()
    yield desk
    desk.fetcher.close()
    for thread in desk.fetcher._threads:
        thread.join(5)
        assert not thread.is_alive()


def refuse(what: str) -> bytes | None:
    raise Unavailable


def test_five_a_second_is_the_pace() -> None:
    assert fetch.INTERVAL_NS * 5 == 1_000_000_000


def test_each_is_answered_exactly_once_with_what_was_asked_for(desk: Desk) -> None:
    for i in range(20):
        desk.ask(f"{i}")
    assert desk.wait_for(20)
    time.sleep(0.05)
    assert Counter((f.what, f.payload) for f in desk.answers) == Counter(
        (f"{i}", f"{i}".encode()) for i in range(20)
    )
    assert all(f.request_ns <= f.response_ns for f in desk.answers)
    assert desk.fetcher.counts == {"done": 20}


def test_the_pace_is_kept_per_client(desk: Desk) -> None:
    began = time.monotonic()
    for i in range(10):
        desk.ask(f"{i}", owner=1)
    desk.ask("other", owner=2)
    assert desk.wait_for(11)
    times = sorted(at for at, what in desk.gets if what != "other")
    early = [n for n, at in enumerate(times) if at < began + n * 0.020 - 0.001]  # the clocks' own difference
    assert early == []
    order = [what for _, what in sorted(desk.gets)]
    assert order[-1] != "other", "another client does not wait for this one's turn"


def test_a_refusal_is_answered_with_nothing_and_its_client_rests(desk: Desk) -> None:
    desk.ask("no", refuse)
    assert desk.wait_for(1)
    assert desk.answers[0].payload is None
    desk.ask("later")
    desk.ask("other", owner=2)
    assert desk.wait_for(2)
    assert desk.answers[1].what == "other"
    assert desk.wait_for(3)
    times = {what: at for at, what in desk.gets}
    assert times["later"] - times["no"] >= 0.25
    assert desk.fetcher.counts["failed"] == 1


def test_what_waits_when_the_server_refuses_is_still_answered_once(desk: Desk) -> None:
    for i in range(10):
        desk.ask(f"{i}", refuse)
    assert desk.wait_for(10)
    time.sleep(0.05)
    assert sorted(f.what for f in desk.answers) == sorted(f"{i}" for i in range(10))
    assert len(desk.gets) <= 3, "what was asked before the refusal is not asked of a server that wants rest"


def test_a_pause_is_told(desk: Desk) -> None:
    via = Via(1, lambda *_: None)
    assert not desk.fetcher.is_paused(via)
    desk.ask("no", refuse)
    assert desk.wait_for(1)
    assert desk.fetcher.is_paused(via)
    assert not desk.fetcher.is_paused(Via(2, lambda *_: None))


def test_no_way_to_ask_is_an_answer_too(desk: Desk) -> None:
    desk.ask("x", lambda _: None)
    assert desk.wait_for(1)
    assert desk.answers[0].payload is None
    assert desk.fetcher.counts == {"impossible": 1}


@pytest.mark.expects_swallowed
def test_a_fault_of_ours_is_answered_and_the_next_is_asked(
    desk: Desk, swallowed_errors_fail: list[str]
) -> None:
    def broken(what: str) -> bytes | None:
        raise ValueError("broken")

    desk.ask("x", broken)
    desk.ask("y")
    assert desk.wait_for(2)
    assert [f.payload for f in sorted(desk.answers, key=lambda f: f.what)] == [None, b"y"]
    assert len(swallowed_errors_fail) == 1


def test_after_close_nothing_is_asked(desk: Desk) -> None:
    desk.ask("first")
    assert desk.wait_for(1)
    for i in range(5):
        desk.ask(f"{i}")
    desk.fetcher.close()
    asked = len(desk.gets)
    desk.ask("late")
    time.sleep(0.15)
    assert len(desk.gets) <= asked + 1  # one may have been under way
    assert len(desk.fetcher._tasks) <= 1


def test_two_daemon_threads_at_most_and_none_before_the_first(desk: Desk) -> None:
    before = threading.active_count()
    assert desk.fetcher._threads == []
    for i in range(30):
        desk.ask(f"{i}", owner=i)
    assert desk.wait_for(30)
    assert threading.active_count() - before <= 2
    assert all(t.daemon for t in desk.fetcher._threads)


def test_clients_that_come_and_go_leave_nothing_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "INTERVAL_NS", 1)
    for i in range(3_000):
        desk.ask(f"{i}", owner=i)
    assert desk.wait_for(3_000, 20)
    assert len(desk.fetcher._ready_ns) <= 2_000
    assert desk.fetcher._tasks == []
