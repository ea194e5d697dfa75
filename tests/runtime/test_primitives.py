"""Queues and locks that are older than gevent's patches; here a class of our own stands in for gevent's."""

from __future__ import annotations

import queue
import threading
from typing import Any, cast

import pytest

from runspan.exporting.answers import Answer, Verdict
from runspan.exporting.sending import TRIES, Tries
from runspan.runtime.primitives import lock_of_now, queue_of_now
from tests.support.workers import poll, working


class Patched(queue.SimpleQueue):  # type: ignore[type-arg]
    """What `queue.SimpleQueue` is afterwards."""


class PatchedLock:
    """What `threading.RLock()` makes afterwards."""


def test_what_no_patch_came_upon_stays() -> None:
    held, lock = queue.SimpleQueue[int](), threading.RLock()
    assert queue_of_now(held) is held
    assert lock_of_now(lock) is lock


def test_what_a_queue_held_goes_on_in_order_in_one_of_the_new_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    held = queue.SimpleQueue[int]()
    for n in range(3):
        held.put(n)
    monkeypatch.setattr(queue, "SimpleQueue", Patched)
    anew = queue_of_now(held)
    assert type(anew) is Patched
    assert [anew.get_nowait() for _ in range(3)] == [0, 1, 2]
    assert queue_of_now(anew) is anew


def test_a_lock_is_of_the_new_kind_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.RLock()
    monkeypatch.setattr(threading, "RLock", PatchedLock)
    anew = lock_of_now(held)
    assert type(anew) is PatchedLock
    assert lock_of_now(anew) is anew


def test_a_worker_that_starts_after_the_patch_waits_for_a_queue_of_the_new_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker, notes = working()
    monkeypatch.setattr(queue, "SimpleQueue", Patched)
    first, second = poll("run_1"), poll("run_2")
    worker.put(first)
    worker.put(second)
    assert worker.flush(30)
    assert notes.read == [first, second]
    assert type(worker._queue) is Patched
    worker.stop(lambda: None)


def test_a_pause_between_tries_holds_up_no_other_greenlet(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    class Pausing(Patched):
        def get(self, block: bool = True, timeout: float | None = None) -> None:
            paused.append(timeout or 0.0)

    class Busy:
        def post(self, body: bytes, timeout_s: float) -> Answer:
            return Answer(Verdict.AGAIN, status="503", pause_s=1.0)

    tries = Tries(cast(Any, Busy()), 3_600)
    monkeypatch.setattr(queue, "SimpleQueue", Pausing)
    tries.send(b"")
    assert paused == [1.0] * TRIES
