"""Spans on their way out: in order, in bursts, until the deadline."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from runspan.core.model import CallFacts, Server, SpanData, SpanKind
from runspan.runtime import outbox
from runspan.runtime.outbox import BURST, Flusher, Outbox
from runspan.runtime.records import LiveSpan
from tests.support.app import begin_runs, canned_client
from tests.support.tracing import traced

LIVE = LiveSpan(None, None, None)


class Emitter:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.measured: list[str] = []

    def measure(self, live: LiveSpan, data: SpanData) -> None:
        self.measured.append(data.operation)

    def end(self, live: LiveSpan, data: SpanData) -> None:
        self.log += [data.operation] * (1 + len(data.children))

    def make(self, data: SpanData, context: Any) -> None:
        if data.operation == "broken":
            raise ValueError("broken")
        self.log.append(data.operation)


class LazyFlusher:
    """Answers when it is told to."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self.asked: list[Callable[[bool], None]] = []

    def ask(self, done: Callable[[bool], None], *, burst: bool = False) -> None:
        assert burst
        self.asked.append(done)
        self._emitter.log.append("flush")

    def revive(self) -> None: ...

    def answer(self) -> None:
        self.asked.pop(0)(True)


def span(operation: str, children: int = 0) -> SpanData:
    facts = CallFacts(Server("", None, None, "openai"))
    below = tuple(SpanData(SpanKind.TOOL, "child", 0, 1, facts) for _ in range(children))
    return SpanData(SpanKind.CALL, operation, 0, 1, facts, children=below)


@pytest.fixture
def emitter() -> Emitter:
    return Emitter()


@pytest.fixture
def flusher(emitter: Emitter) -> LazyFlusher:
    return LazyFlusher(emitter)


@pytest.fixture
def box(emitter: Emitter, flusher: LazyFlusher) -> Outbox:
    return Outbox(emitter, flusher)  # type: ignore[arg-type]


def bursts(log: list[str]) -> list[int]:
    """Number of spans between flushes."""
    found = [0]
    for name in log:
        found = [*found, 0] if name == "flush" else [*found[:-1], found[-1] + 1]
    return found


def test_what_comes_alone_goes_out_at_once(box: Outbox, emitter: Emitter) -> None:
    box.send(LIVE, span("run", 2))
    box.send(None, span("call"))
    assert emitter.log == ["run", "run", "run", "call"]
    assert not box.is_waiting


@pytest.mark.parametrize("children", [0, 2])
def test_a_burst_waits_for_the_flush_and_keeps_its_order(
    box: Outbox, emitter: Emitter, flusher: LazyFlusher, children: int
) -> None:
    for i in range(2_500):
        box.send(LIVE, span(f"{i}", children))
    assert box.is_waiting
    while flusher.asked:
        flusher.answer()
        box.pump()
    assert max(bursts(emitter.log)) <= BURST + children
    names = [n for n in emitter.log if n != "flush"]
    assert names == [f"{i}" for i in range(2_500) for _ in range(1 + children)]
    assert not box.is_waiting


def test_draining_ends_at_its_deadline_and_what_is_left_is_counted(
    box: Outbox, emitter: Emitter, flusher: LazyFlusher
) -> None:
    for i in range(1_500):
        box.send(LIVE, span(f"{i}"))
    started_s = time.monotonic()
    assert box.drain(started_s + 0.05) is False
    assert time.monotonic() - started_s < 1
    assert box.abandon() == 500
    assert (box.is_waiting, box.drain(0.0)) == (False, True)
    assert len(emitter.log) == 1_001


def test_draining_goes_on_as_flushes_come_back(box: Outbox, emitter: Emitter, flusher: LazyFlusher) -> None:
    for i in range(3_500):
        box.send(LIVE, span(f"{i}"))
    stop = threading.Event()

    def answer() -> None:
        while not stop.wait(0.002):
            if flusher.asked:
                flusher.answer()

    helper = threading.Thread(target=answer)
    helper.start()
    try:
        assert box.drain(time.monotonic() + 10)
    finally:
        stop.set()
        helper.join()
    assert len([n for n in emitter.log if n != "flush"]) == 3_500


def test_with_nobody_flushing_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch, box: Outbox, emitter: Emitter
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 50)
    taken = sum(box.send(LIVE, span(f"{i}")) for i in range(3_000))
    assert box.dropped == {"outbox_full": 3_000 - taken}
    assert box.abandon() == 50
    assert len([n for n in emitter.log if n != "flush"]) == taken - 50


def test_a_run_is_measured_once_and_at_once_whatever_becomes_of_its_spans(
    monkeypatch: pytest.MonkeyPatch, box: Outbox, emitter: Emitter
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 0)
    assert not box.send(LIVE, span("dropped"))
    monkeypatch.undo()
    for i in range(1_500):
        box.send(LIVE, span(f"{i}"))
    box.send(None, span("call"))
    assert emitter.measured == ["dropped", *(f"{i}" for i in range(1_500))]


def test_metrics_are_flushed_when_somebody_asks_and_not_between_bursts() -> None:
    flushed: list[str] = []

    def flush(what: str, ok: bool) -> Callable[[], bool]:
        return lambda: (flushed.append(what), ok)[1]

    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    flusher = Flusher(flush("spans", True), flush("metrics", False))
    flusher.ask(answers.put, burst=True)
    flusher.ask(answers.put)
    assert [answers.get(timeout=5) for _ in range(2)] == [True, False]
    assert flushed == ["spans", "spans", "metrics"]
    flusher.stop(lambda: None)


@pytest.mark.expects_swallowed
def test_a_span_that_cannot_be_made_does_not_hold_up_the_others(
    box: Outbox, emitter: Emitter, swallowed_errors_fail: list[str]
) -> None:
    for name in ("one", "broken", "two"):
        box.send(None, span(name))
    assert emitter.log == ["one", "two"]
    assert len(swallowed_errors_fail) == 1


def test_started_from_two_places_at_once_it_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of `uninstrument()` and a call that was in flight: the second thread would stay."""
    flusher, is_inside, goes_on = Flusher(lambda: True), threading.Event(), threading.Event()

    def slow(asked: Any) -> Any:
        if not is_inside.is_set():
            is_inside.set()
            assert goes_on.wait(10)
        return asked

    monkeypatch.setattr(outbox, "queue_of_now", slow)
    before = set(threading.enumerate())
    first = threading.Thread(target=flusher.start)
    first.start()
    assert is_inside.wait(10)
    flusher.start()
    goes_on.set()
    first.join()
    (started,) = set(threading.enumerate()) - before
    flusher.stop(lambda: None)
    started.join(10)
    assert not started.is_alive()


@pytest.mark.expects_swallowed
def test_the_flusher_answers_each_in_turn_whatever_the_flush_does() -> None:
    results = iter([True, False, ValueError("no"), True])

    def flush() -> bool:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return bool(result)

    answers: list[bool] = []
    done = threading.Event()

    def last(ok: bool) -> None:
        answers.append(ok)
        done.set()

    flusher = Flusher(flush)
    flusher.start()
    for _ in range(3):
        flusher.ask(answers.append)
    flusher.ask(last)
    assert done.wait(5)
    assert answers == [True, False, False, True]


@pytest.fixture
def no_thread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The system has none for the next names in this list, once for each."""
    start, refused = threading.Thread.start, ["runspan-flush"] * 3

    def refusing(self: threading.Thread) -> None:
        if self.name in refused:
            refused.remove(self.name)
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    return refused


def test_a_thread_that_could_not_be_started_is_tried_again(no_thread: list[str]) -> None:
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    flusher = Flusher(lambda: True)
    flusher.ask(answers.put)
    flusher.revive()
    assert (flusher.is_stranded, answers.empty(), len(no_thread)) == (True, True, 1)
    flusher.revive()
    flusher.revive()
    assert answers.get(timeout=20)
    assert not flusher.is_stranded
    flusher.stop(lambda: None)


def test_a_burst_goes_on_once_there_is_a_thread(no_thread: list[str], emitter: Emitter) -> None:
    flusher = Flusher(lambda: True)
    box = Outbox(emitter, flusher)  # type: ignore[arg-type]
    for _ in range(BURST + 5):
        box.send(None, span("one"))
    assert box.drain(time.monotonic() + 20)
    assert (emitter.log.count("one"), no_thread) == (BURST + 5, [])
    flusher.stop(lambda: None)


def test_a_flush_waits_for_its_thread(no_thread: list[str]) -> None:
    """From outside: `flush()` tells the truth, and so does the next one."""
    with traced() as spans:
        begin_runs(canned_client(), 1)
        assert spans.handle.flush(20)
        assert spans.handle.flush(20)
    assert no_thread == []
