"""One thread for what is put into a queue: whatever ends or begins at the same moment, what was put is done."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from runspan.runtime.lone_thread import LoneThread


class Desk:
    """Does what is put, and leaves whenever its queue is empty."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.done: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.thread = LoneThread("desk", self.work, lambda: not self.queue.empty(), lambda: None)

    def work(self) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        while not self.queue.empty():
            self.done.append(self.queue.get())
        self.at_once -= 1

    def put(self, number: int) -> bool:
        self.queue.put(number)
        return self.thread.start()


@pytest.fixture
def hasty_switches() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


def join_all(before: set[threading.Thread]) -> None:
    while new := set(threading.enumerate()) - before:
        for thread in new:
            with suppress(RuntimeError):  # it is about to be started
                thread.join(60)


def test_what_came_while_its_first_thread_ended_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting one takes long: it has ended, and somebody has come in vain, before `Thread.start` returns."""
    desk, real, late = Desk(), threading.Thread.start, [2, 3]

    def start(self: threading.Thread) -> None:
        real(self)
        self.join(60)
        if late:
            assert desk.put(late.pop(0))

    monkeypatch.setattr(threading.Thread, "start", start)
    assert desk.put(1)
    assert desk.done == [1, 2, 3]
    assert not desk.thread.is_running


def test_many_that_put_at_once_are_all_served_by_one(hasty_switches: None) -> None:
    desk, before = Desk(), set(threading.enumerate())

    def puts(first: int) -> None:
        for number in range(first, first + 250):
            assert desk.put(number)

    putting = [threading.Thread(target=puts, args=(1000 * n,)) for n in range(8)]
    for thread in putting:
        thread.start()
    join_all(before)
    assert len(desk.done) == 8 * 250
    assert desk.most_at_once == 1


def test_a_thread_that_dies_is_had_again_for_the_next_and_nobody_starts_it_in_a_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, died, real = Desk(), [], Desk.work
    monkeypatch.setattr(threading, "excepthook", died.append)

    def work() -> None:
        if len(died) < 2:
            raise ValueError("a fault of ours")
        real(desk)

    desk.thread = LoneThread("desk", work, lambda: not desk.queue.empty(), lambda: None)
    before = set(threading.enumerate())
    for number in range(3):
        assert desk.put(number)
        join_all(before)
    assert (len(died), desk.done) == (2, [0, 1, 2])


def test_it_says_when_the_system_has_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, before = Desk(), set(threading.enumerate())

    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not desk.put(1)
    assert desk.put(2)
    join_all(before)
    assert desk.done == [1, 2]


@pytest.mark.parametrize("is_begun", [False, True], ids=["before it began", "after it began"])
def test_an_interrupted_start_is_made_up_for_by_the_next(
    monkeypatch: pytest.MonkeyPatch, is_begun: bool
) -> None:
    """As a Ctrl-C does, or a handler of SIGTERM that calls `sys.exit`."""
    desk, before, real = Desk(), set(threading.enumerate()), threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        if is_begun:
            real(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            desk.put(1)
    assert desk.put(2)
    join_all(before)
    assert (desk.done, desk.most_at_once) == ([1, 2], 1)


@pytest.mark.parametrize("is_begun", [False, True], ids=["before it began", "after it began"])
def test_a_signal_handler_that_interrupts_a_start_may_wait_for_what_it_puts(
    monkeypatch: pytest.MonkeyPatch, is_begun: bool
) -> None:
    desk, before, real = Desk(), set(threading.enumerate()), threading.Thread.start
    handled, waited = threading.Event(), []

    def start(self: threading.Thread) -> None:
        if is_begun:
            real(self)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", real)
            desk.put(2)
            waited.append(handled.wait(30))
        if not is_begun:
            real(self)

    class Handled(list[int]):
        def append(self, number: int) -> None:
            super().append(number)
            if number == 2:
                handled.set()

    desk.done = Handled()
    monkeypatch.setattr(threading.Thread, "start", start)
    assert desk.put(1)
    join_all(before)
    assert (desk.done, desk.most_at_once, waited) == ([1, 2], 1, [True])
