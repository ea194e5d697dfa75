"""Background GETs: few, patient, each answered once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from runspan.runtime import budget
from runspan.runtime import fetcher as fetch
from runspan.runtime.fetcher import Fetcher, Unavailable
from runspan.runtime.records import BackgroundClient, Fetched

Get = Callable[[str], bytes | None]


class Desk:
    """A fetcher whose answers are collected, in a world where a fifth of a second is 20 ms."""

    def __init__(self) -> None:
        self.answers: list[Fetched] = []
        self.gets: list[tuple[float, str]] = []
        self.fetcher = Fetcher(self.answers.append)

    def ask(
        self, what: str, get: Get = lambda what: what.encode(), owner: int = 1, server: str | None = None
    ) -> None:
        def wrapped(path: str, query: Mapping[str, Any], timeout_s: float) -> bytes | None:
            self.gets.append((time.monotonic(), what))
            assert timeout_s > 0
            return get(what)

        self.fetcher.ask(
            BackgroundClient(server or f"server of {owner}", owner, wrapped), "key", what, "/path", {}
        )

    def wait_for(self, count: int, seconds: float = 5) -> bool:
        deadline_s = time.monotonic() + seconds
        while len(self.answers) < count and time.monotonic() < deadline_s:
            time.sleep(0.002)
        return len(self.answers) >= count


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(budget, "INTERVAL_NS", 20_000_000)
    monkeypatch.setattr(fetch, "PAUSE_NS", 300_000_000)
    desk = Desk()
    yield desk
    desk.fetcher.close()
    for thread in list(desk.fetcher._conversations):
        thread.join(5)
        assert not thread.is_alive()


def refuse(what: str) -> bytes | None:
    raise Unavailable


def test_five_a_second_is_the_pace() -> None:
    assert budget.INTERVAL_NS * 5 == 1_000_000_000


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


def test_the_pace_is_kept_per_server(desk: Desk) -> None:
    began = time.monotonic()
    for i in range(10):
        desk.ask(f"{i}", owner=1)
    desk.ask("other", owner=2)
    assert desk.wait_for(11)
    times = sorted(at for at, what in desk.gets if what != "other")
    early = [n for n, at in enumerate(times) if at < began + n * 0.020 - 0.001]  # the clocks' own difference
    assert early == []
    order = [what for _, what in sorted(desk.gets)]
    assert order[-1] != "other", "another server does not wait for this one's turn"


def test_the_apps_own_calls_are_a_budget_that_is_spent_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "INTERVAL_NS", 10**15)
    for i in range(10):
        desk.ask(f"{i}", owner=i, server="one")
    assert desk.wait_for(1)
    desk.fetcher.earn("another", 100)
    time.sleep(0.05)
    assert len(desk.gets) == 1, "the floor alone"
    for _ in range(9):
        desk.fetcher.earn("one", 2)
    assert desk.wait_for(10)


def test_copies_of_a_client_rest_together(desk: Desk) -> None:
    """The pause is the key's on that server: not one of each client object, and not one of other keys."""
    desk.ask("no", refuse, owner=1, server="one")
    assert desk.wait_for(1)
    assert desk.fetcher.is_paused(BackgroundClient("one", 1, lambda *_: None))
    desk.fetcher.earn("one", 100)
    desk.ask("copy", owner=1, server="one")
    desk.ask("another key", owner=2, server="one")
    assert desk.wait_for(2)
    assert desk.answers[1].what == "another key"


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
    via = BackgroundClient("server", 1, lambda *_: None)
    assert not desk.fetcher.is_paused(via)
    desk.ask("no", refuse)
    assert desk.wait_for(1)
    assert desk.fetcher.is_paused(via)
    assert not desk.fetcher.is_paused(BackgroundClient("server", 2, lambda *_: None))


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
    assert not desk.fetcher._waiting


def test_after_close_nobody_waits_for_an_answer(desk: Desk) -> None:
    """A call that was in flight at the end may still bring a run that lacks something."""
    via = BackgroundClient("server", 1, lambda *_: None)
    assert not desk.fetcher.is_paused(via)
    desk.fetcher.close()
    assert desk.fetcher.is_paused(via)


def test_daemon_threads_as_many_as_are_at_work_and_none_before_the_first(desk: Desk) -> None:
    go_on = threading.Event()

    def held_up(what: str) -> bytes | None:
        go_on.wait(30)
        return b""

    assert desk.fetcher._conversations == set()
    desk.fetcher.prepare()
    assert len(desk.fetcher._conversations) == 1
    for i in range(50):
        desk.ask(f"{i}", held_up, owner=i)
    deadline_s = time.monotonic() + 30
    while len(desk.gets) < fetch.MAX_THREADS and time.monotonic() < deadline_s:
        time.sleep(0.002)
    assert len(desk.fetcher._conversations) == len(desk.gets) == fetch.MAX_THREADS
    assert all(t.daemon for t in list(desk.fetcher._conversations))
    go_on.set()
    assert desk.wait_for(50, 30)


def test_threads_that_have_nothing_to_do_end_but_for_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "IDLE_S", 0.01)
    together = threading.Barrier(3)

    def side_by_side(what: str) -> bytes | None:
        together.wait(30)
        return b""

    for i in range(3):
        desk.ask(f"{i}", side_by_side, owner=i)
    assert desk.wait_for(3, 30)
    deadline_s = time.monotonic() + 30
    while len(desk.fetcher._conversations) > 1 and time.monotonic() < deadline_s:
        time.sleep(0.002)
    time.sleep(0.05)
    assert len(desk.fetcher._conversations) == 1


def test_a_thread_that_could_not_be_started_is_started_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "RETRY_NS", 1)
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    desk.fetcher.prepare()
    assert desk.fetcher.next_due_ns() is None, "nothing waits"
    desk.ask("x")
    assert desk.fetcher.next_due_ns() is not None
    desk.fetcher.tend()
    assert desk.fetcher.next_due_ns() is not None
    assert desk.answers == []
    monkeypatch.setattr(threading.Thread, "start", start)
    desk.fetcher.tend()
    assert desk.wait_for(1, 30)
    assert desk.fetcher.next_due_ns() is None


def test_where_some_threads_cannot_be_started_the_others_do_the_work(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.fetcher.prepare()

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without_threads:
        without_threads.setattr(threading.Thread, "start", refused)
        for i in range(20):
            desk.ask(f"{i}", owner=i)
        assert desk.wait_for(20, 30)


def test_what_ends_a_thread_is_an_answer_too(desk: Desk) -> None:
    """A provider of tokens is the app's code, and may raise anything."""

    def leave(what: str) -> bytes | None:
        raise SystemExit

    desk.ask("x", leave)
    desk.ask("y")
    assert desk.wait_for(2, 30)
    assert Counter(f.payload for f in desk.answers) == {None: 1, b"y": 1}


def test_clients_that_come_and_go_leave_nothing_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "INTERVAL_NS", 1)
    for i in range(3_000):
        desk.ask(f"{i}", owner=i)
    assert desk.wait_for(3_000, 60)
    assert len(desk.fetcher._budgets) <= fetch.MAX_KNOWN
    assert desk.fetcher._waiting == {}
