"""The way from the app's threads to ours: nothing blocks, nothing that matters is lost, and what is lost is counted."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.core.model import ApiError
from runspan.runtime import worker as module
from runspan.runtime.admission import weight_of
from runspan.runtime.records import (
    Call,
    Fetched,
    HandlerError,
    LiveSpan,
    Page,
    StreamChunk,
    StreamClosed,
    StreamDeltas,
    StreamEvent,
    StreamRef,
    WorkerTask,
)
from runspan.runtime.worker import Worker
from tests.support.workers import SERVER, held, listing, poll, start, working


@pytest.fixture
def small_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 20)


def has_ended(worker: Worker) -> bool:
    return worker._thread.join(30)


def test_records_are_read_in_the_order_in_which_they_came() -> None:
    worker, notes = working()
    records = [poll(at_ns=n) for n in range(500)]
    for record in records:
        worker.put(record)
    assert worker.flush(30)
    assert notes.read == records
    assert worker.restarts == 0


def test_a_flush_waits_for_no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, notes = working()
    monkeypatch.setattr(module, "TICK_S", 60)
    record = poll()
    worker.put(record)
    assert worker.flush(30)
    assert notes.read == [record]


def test_it_has_no_thread_before_the_first_record() -> None:
    before = threading.active_count()
    worker, _ = working()
    assert threading.active_count() == before
    assert worker.restarts == -1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_died_is_started_again_and_counted() -> None:
    worker, notes = working()

    def die() -> None:
        raise SystemExit("as if by accident")  # not an Exception: no guard holds it

    for deaths in (1, 2):
        worker.put(WorkerTask(die))
        assert has_ended(worker)
        record = poll()
        worker.put(record)
        assert worker.flush(30)
        assert notes.read[-1] is record
        assert worker.restarts == deaths


@pytest.mark.expects_swallowed
def test_a_record_that_cannot_be_read_does_not_stop_the_others() -> None:
    worker, notes = working()

    def fail(record: Any) -> None:
        if record.request_ns == 1:
            raise ValueError("as if by accident")

    notes.on_read = fail
    for n in range(3):
        worker.put(poll(at_ns=n))
    assert worker.flush(30)
    assert (len(notes.read), worker.restarts) == (3, 0)


def test_many_threads_lose_nothing(impatient_threads: None) -> None:
    worker, notes = working()

    def put(owner: int) -> None:
        for n in range(500):
            worker.put(poll(f"run_{owner}", at_ns=n))

    threads = [threading.Thread(target=put, args=(owner,)) for owner in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worker.flush(60)
    assert Counter(record.match.run_id for record in notes.read) == {
        f"run_{owner}": 500 for owner in range(16)
    }
    assert worker.restarts == 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers there")
def test_a_signal_handler_that_interrupts_put_can_put() -> None:
    worker, notes = working()
    from_handler = 0

    def handler(*_: Any) -> None:
        nonlocal from_handler
        from_handler += 1
        worker.put(poll("run_of_handler"))

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        put, deadline = 0, time.monotonic() + 30
        while (from_handler < 50 or put < 5_000) and time.monotonic() < deadline:
            worker.put(poll())
            put += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert worker.flush(60)
    assert Counter(r.match.run_id for r in notes.read) == {"run_1": put, "run_of_handler": from_handler}
    assert from_handler >= 50


def test_a_thread_that_found_none_says_nothing_of_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread had one started meanwhile."""
    worker, notes = working()
    real, late = worker._thread.start, [poll("run_late")]

    def start() -> bool:
        if not late:
            return real()
        worker.put(late.pop())
        return False

    monkeypatch.setattr(worker._thread, "start", start)
    worker.put(poll())
    assert worker.flush(30)
    assert len(notes.read) == 2


def test_a_record_that_comes_while_the_worker_is_being_started_is_not_lost() -> None:
    late = poll("run_late")
    worker, notes = working(lambda: worker.put(late))
    worker.put(poll())
    assert worker.flush(30)
    assert {record.match.run_id for record in notes.read} == {"run_1", "run_late"}
    assert worker.restarts == 0


# ---------------------------------------------------------------- a queue that fills


@pytest.mark.usefixtures("small_queue")
def test_a_full_queue_drops_only_what_can_be_spared_and_counts_it() -> None:
    worker, notes = working()
    stream = StreamRef.of(start())
    kept: list[Any] = [
        start(),
        StreamEvent(stream, "thread.run.completed", 1, b"{}"),
        StreamClosed(stream, 2),
        HandlerError(stream, 3, ApiError("x"), 7),
        poll(result=b"bytes"),
    ]
    spared = [
        StreamEvent(stream, "thread.message.completed", 1, b"{}"),
        listing(),
        poll(result={"status": "x"}),
    ]
    with held(worker):
        for _ in range(20):
            worker.put(listing())
        for record in (*kept, *spared):
            worker.put(record)
    assert worker.flush(30)
    assert notes.read[20:] == kept
    assert worker.dropped == {"queue_full": len(spared)}


def a_span() -> LiveSpan:
    return LiveSpan(TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("s"), None, None)


def call(method: str, path: str, **more: Any) -> Call:
    matched = match(method, path)
    assert matched is not None
    return Call(API, matched, SERVER, 1, 2, **more)


BIG = b"x" * 1_000
STREAM = StreamRef.of(start())
NUMBERS = itertools.count()
KINDS: dict[str, Callable[[], Any]] = {
    "an answer": lambda: call("post", "/threads/t/messages", result=BIG),
    "an answer with a span": lambda: call("post", "/threads/t/messages", result=BIG, body=BIG, live=a_span()),
    "a page": lambda: call("get", "/threads/t/messages", result=Page((BIG, BIG), False)),
    "a poll": lambda: call("get", "/threads/t/runs/r", result={"status": "queued"}),
    "a poll that sees the end": lambda: call(
        "get", "/threads/t/runs/r", result=BIG[:-9] + b"%09d" % next(NUMBERS)
    ),
    "tool outputs": lambda: call("post", "/threads/t/runs/r/submit_tool_outputs", result=BIG, body=BIG),
    "a start": lambda: call("post", "/threads/t/runs", result=BIG, live=a_span(), learnt=("s", "r", "t")),
    "an event of a message": lambda: StreamEvent(STREAM, "thread.message.completed", 1, BIG),
    "an event of a run": lambda: StreamEvent(STREAM, "thread.run.completed", 1, BIG),
    "deltas": lambda: StreamDeltas(STREAM, [BIG] * 100),
    "bytes": lambda: StreamChunk(STREAM, 1, BIG),
    "an end": lambda: StreamClosed(STREAM, 1),
    "an error": lambda: HandlerError(STREAM, 1, ApiError("x"), 7),
    "a GET of ours": lambda: Fetched("key", "run", 1, 2, BIG),
    "something that can wait": lambda: WorkerTask(lambda: None, can_be_spared=True),
}
EDGES = {"a poll that sees the end", "tool outputs", "a start", "an event of a run", "an end", "an error"} | {
    "a GET of ours"
}


@pytest.mark.usefixtures("small_queue")
@pytest.mark.parametrize("kind", KINDS)
def test_of_each_kind_only_so_many_wait_and_the_others_are_counted(kind: str) -> None:
    worker, notes = working()
    with held(worker):
        records = [KINDS[kind]() for _ in range(500)]
        for record in records:
            worker.put(record)
        queued = worker._queue.qsize()
        dropped = worker.dropped["queue_full"]
    assert worker.flush(30)
    assert queued <= 40
    is_stripped = kind == "an answer with a span"
    assert dropped == 500 - queued + (20 if is_stripped else 0)  # of those 20 the answer alone
    assert queued == (40 if kind in EDGES or is_stripped else 20)
    for record in records:
        if isinstance(record, Call) and record not in notes.read:
            assert record.live is None


@pytest.mark.usefixtures("small_queue")
@pytest.mark.parametrize("kind", KINDS)
def test_starts_and_ends_outlive_whole_answers_of_any_kind(kind: str) -> None:
    worker, notes = working()
    begun, ended = KINDS["a start"](), StreamClosed(STREAM, 1)
    with held(worker):
        for _ in range(20 if kind in EDGES else 500):
            if not (kind == "an answer with a span" and worker._queue.qsize() >= 30):
                worker.put(KINDS[kind]())
        for record in (begun, ended):
            worker.put(record)
    assert worker.flush(30)
    assert begun in notes.read
    assert begun.result == BIG
    assert ended in notes.read


def test_what_waits_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 10_000)
    for kind, make in KINDS.items():
        worker, _ = working()
        with held(worker):
            for _ in range(200):
                worker.put(make())
            records = [worker._queue.get_nowait() for _ in range(worker._queue.qsize())]
            weighs = sum(map(weight_of, records))
            dropped = worker.dropped["queue_full"]
        assert weighs <= (20_000 if kind in EDGES else 10_000), kind
        whole = sum(weight_of(record) > 0 for record in records)
        assert weight_of(make()) == 0 or dropped == 200 - whole, kind


def test_once_all_is_read_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 10_000)
    worker, notes = working()
    for _ in range(5):
        for _ in range(9):
            worker.put(KINDS["an answer"]())
        assert worker.flush(30)
    assert (len(notes.read), worker.dropped) == (45, {})
    assert worker._queued_bytes == 0


@pytest.mark.usefixtures("small_queue")
def test_a_start_that_finds_no_room_ends_its_span_and_leaves_nothing() -> None:
    worker, notes = working()
    worker._thread.is_running = True  # nobody reads
    records = [KINDS["a start"]() for _ in range(50)]
    spans = [record.live.span for record in records]
    for record in records:
        worker.put(record)
    assert [span.is_recording() for span in spans] == [True] * 40 + [False] * 10
    assert notes.unlearnt == records[40:]


# ---------------------------------------------------------------- flushing


def test_a_flush_is_answered_while_records_keep_coming() -> None:
    """Each record that is read brings the next, as pollers do that are faster than we."""
    worker, notes = working()
    over = threading.Event()

    def feed(_: Any) -> None:
        if not over.is_set():
            worker.put(poll())

    notes.on_read = feed
    worker.put(poll())
    try:
        assert worker.flush(10)
    finally:
        over.set()


def test_many_flushes_at_once_are_all_answered() -> None:
    worker, _ = working()
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(worker.flush(30))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 20


def test_a_flush_without_time_does_not_wait() -> None:
    worker, _ = working()
    with held(worker):
        assert worker.flush(0) is False
    assert worker.flush(30) is True


def test_a_flush_with_an_earlier_deadline_does_not_cut_another_short() -> None:
    worker, notes = working()
    waiting = threading.Event()
    notes.is_waiting = waiting.is_set  # type: ignore[method-assign]
    waiting.set()
    answers: dict[str, bool] = {}
    patient = threading.Thread(target=lambda: answers.update(patient=worker.flush(30)))
    patient.start()
    hurried = threading.Thread(target=lambda: answers.update(hurried=worker.flush(0.05)))
    hurried.start()
    hurried.join()
    time.sleep(0.1)
    assert "patient" not in answers  # what it waits for may still come
    waiting.clear()
    patient.join()
    assert answers["patient"] is True


def test_after_stop_a_later_record_starts_it_again() -> None:
    worker, notes = working()
    worker.put(poll())
    assert worker.flush(30)
    worker.stop(lambda: None)
    assert has_ended(worker)
    worker.put(poll("run_2"))
    assert worker.flush(30)
    assert [record.match.run_id for record in notes.read] == ["run_1", "run_2"]


def test_started_after_stop_for_a_record_that_is_read_already_it_leaves() -> None:
    """`put` sees that no thread runs, which is true only since the thread that took the record has ended."""
    worker, _ = working()
    worker.put(poll("run_1"))
    assert worker.flush(30)
    worker.stop(lambda: None)
    assert has_ended(worker)
    worker._start()
    assert has_ended(worker)
