"""What the app's threads and the worker share of live runs: the contract at the top of `runtime/registry.py`."""

from __future__ import annotations

import gc
import itertools
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from runspan.runtime.records import LiveSpan
from runspan.runtime.registry import MAX_GONE, MAX_POLLS, Key, Polls, RunEntry, RunRegistry, unread

SERVER = "http://api.test/v1"
SPAN = LiveSpan(None, None, None)


def key(run_id: str) -> Key:
    return SERVER, run_id, "thread_1"


@pytest.fixture
def registry() -> RunRegistry:
    return RunRegistry()


def together(number: int, work: Callable[[int], None]) -> None:
    begin = threading.Barrier(number)

    def run(n: int) -> None:
        begin.wait()
        work(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_run_has_one_entry_whoever_comes_first(registry: RunRegistry) -> None:
    learnt = registry.learn(key("run_1"), SPAN)
    assert registry.follow(key("run_1"), SPAN) is learnt
    followed = registry.follow(key("run_2"), SPAN)
    assert registry.get(key("run_2")) is followed
    assert [registry.followed(key(f"run_{n}")) for n in (1, 2, 3)] == [learnt, followed, None]


def test_the_server_of_a_run_that_was_taken_over_comes_later(registry: RunRegistry) -> None:
    taken = registry.expect("run_1", SPAN, claimed=("call_1",))
    assert registry.followed(key("run_1")) is None
    assert registry.get(key("run_1")) is taken
    assert registry.follow(key("run_1"), SPAN) is taken
    assert (taken.claim("call_1"), taken.claim("call_2")) == (False, True)
    assert registry.forget(key("run_1")) is taken
    assert (len(registry), registry.get(key("run_1"))) == (0, None)


def test_a_run_that_was_taken_over_and_read_is_the_same(registry: RunRegistry) -> None:
    taken = registry.expect("run_1", SPAN)
    registry.arrive(key("run_1"), taken)
    assert registry.holds(key("run_1"), taken)
    registry.forget_expected("run_1")
    assert not registry.holds(unread("run_1"), taken)
    assert registry.get(key("run_1")) is taken


def test_nothing_stays_of_what_is_forgotten(registry: RunRegistry) -> None:
    for n in range(3):
        registry.learn(key(f"run_{n}"), SPAN)
        registry.expect(f"run_{n}", SPAN)
    for n in range(3):
        registry.forget(key(f"run_{n}"))
        registry.forget_expected(f"run_{n}")
    assert (len(registry), registry.forget(key("run_0")), registry.of_run("run_0")) == (0, None, None)


def test_what_is_remembered_of_runs_that_are_gone_is_bounded(registry: RunRegistry) -> None:
    for n in range(MAX_GONE + 10):
        registry.ended.put(f"run_{n}", n)
        registry.handed.put(f"run_{n}", {})
        registry.unsampled.put(f"run_{n}", n)
    assert [len(kept) for kept in (registry.ended, registry.handed, registry.unsampled)] == [MAX_GONE] * 3


def test_another_id_of_a_run_is_known_however_often_it_is_told(registry: RunRegistry) -> None:
    for _ in range(MAX_GONE + 2):
        registry.also("server", "resp_1", "resp_other")
    assert registry.meant("server", "resp_other") == "resp_1"


def test_a_poll_that_shows_nothing_new_is_counted() -> None:
    entry = RunEntry(SPAN)
    queued, active = {"status": "queued"}, {"status": "in_progress"}
    shown = [queued, queued, active, active, active, queued]
    assert [entry.touch(what, n, n + 1) for n, what in enumerate(shown)] == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]
    assert entry.take_polls() == [(1, 1, 1, 2), (1, 3, 3, 4), (1, 4, 4, 5)]
    assert entry.take_polls() == []
    entry.renew()
    assert not entry.touch(queued, 9, 10)


def test_many_polls_stand_together_and_each_counts() -> None:
    entry = RunEntry(SPAN)
    for n in range(100):
        entry.touch("alive", n, n + 1)
    polls = entry.take_polls()
    assert len(polls) == MAX_POLLS
    assert sum(number for number, _, _, _ in polls) == 99
    assert polls[-1] == (99 - MAX_POLLS + 1, MAX_POLLS, 99, 100)


def test_polls_before_and_behind_a_change_stay_apart() -> None:
    entry = RunEntry(SPAN)
    for n in range(40):
        entry.touch("queued" if n < 20 else "active", n, n)
    before, behind = entry.take_polls(until_ns=20), entry.take_polls()
    assert [sum(number for number, _, _, _ in polls) for polls in (before, behind)] == [19, 19]
    assert before[-1][2] == 19
    assert behind[0][1] == 21


def test_runs_may_come_and_go_while_one_is_looked_for(registry: RunRegistry) -> None:
    """The collector runs where objects are made, and with it whatever changes the runs."""
    for n in range(1_000):
        registry.learn(key(f"run_{n}"), SPAN)
    numbers = itertools.count()

    def come_and_go(*_: object) -> None:
        registry.learn(key(f"other_{next(numbers)}"), SPAN)

    before = gc.get_threshold()
    gc.callbacks.append(come_and_go)
    gc.set_threshold(1)
    try:
        found = registry.of_run("run_999")
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(come_and_go)
    assert found is registry.get(key("run_999"))
    assert registry.of_run("run_x") is None


@pytest.mark.usefixtures("impatient_threads")
def test_of_many_threads_one_claims_and_each_poll_counts_once() -> None:
    """`sys.setswitchinterval(1e-6)`: threads change in the middle of everything."""
    entry, calls, threads = RunEntry(SPAN), 200, 8
    outcomes: set[str] = set()
    claimed: Counter[str] = Counter()
    polls: Counter[str] = Counter()
    taken: list[Polls] = []

    def work(n: int) -> None:
        mine: Counter[str] = Counter()
        for number in range(calls):
            if entry.claim(f"call_{number}"):
                claimed[f"call_{number}"] += 1
            mine["touched" if entry.touch("alive", n, number) else "read"] += 1
            if n == 0:
                taken.extend(entry.take_polls())
        outcomes.add(entry.settle("emitted" if n % 2 else "handed"))
        for what, times in mine.items():
            polls[f"{n} {what}"] = times

    together(threads, work)
    taken.extend(entry.take_polls())
    assert claimed == Counter(f"call_{number}" for number in range(calls))
    assert len(outcomes) == 1
    assert sum(polls.values()) == calls * threads
    assert sum(number for number, _, _, _ in taken) == sum(
        times for what, times in polls.items() if what.endswith("touched")
    )


@pytest.mark.usefixtures("impatient_threads")
def test_runs_of_many_threads_are_learnt_followed_looked_for_and_forgotten(registry: RunRegistry) -> None:
    wrong: list[str] = []

    def work(n: int) -> None:
        for number in range(200):
            run_id = f"run_{n}_{number}"
            entry = registry.learn(key(run_id), SPAN)
            if registry.follow(key(run_id), SPAN) is not entry or registry.of_run(run_id) is not entry:
                wrong.append(run_id)
            if registry.forget(key(run_id)) is not entry:
                wrong.append(run_id)

    together(8, work)
    assert (wrong, len(registry)) == ([], 0)


def test_polls_that_came_after_a_record_are_taken_after_it() -> None:
    entry = RunEntry(SPAN)
    for n in range(5):
        entry.touch("alive", n, n)
    assert entry.take_polls(until_ns=3) == [(1, 1, 1, 1), (1, 2, 2, 2)]
    assert entry.take_polls(until_ns=3) == []
    assert entry.take_polls() == [(1, 3, 3, 3), (1, 4, 4, 4)]
