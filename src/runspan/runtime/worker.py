"""The one thread: takes records from the app's threads in batches, keeps the timers, answers `flush`.

The caller's side is one `put` on a `SimpleQueue`, which is reentrant: a signal handler or a finalizer may interrupt it. The thread
starts at the first record, sleeps while there is nothing to do, and is started again (and counted) should it ever die.
"""

from __future__ import annotations

import queue
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ..guard import guarded, swallow
from . import admission, clock, loops, waiting
from .flushes import Flush, Flushes
from .lone_thread import LoneThread, is_late
from .outbox import Flusher, Outbox
from .primitives import queue_of_now
from .records import WorkerTask
from .tracker import Tracker

# What comes within it is one batch; a flush waits for none. Each batch takes the processor's caches from the app: at 20 ms, runspan
# costs a fifth more than at 50. While a long one is read the app waits for it: at 100 ms, 1 % of its calls take 2 ms more.
TICK_S = 0.05
# Past MAX_QUEUED, or MAX_QUEUED_BYTES, answers are dropped; past twice as much, starts and ends of runs, too. Each drop is counted.
MAX_QUEUED = 50_000
MAX_QUEUED_BYTES = 64_000_000
RETRY_S = 0.05  # where the system had no thread for us


class Worker:
    _queued_bytes = 0  # about, as threads add to it without a lock; right again whenever the queue is empty

    def __init__(
        self,
        tracker: Tracker,
        handlers: Mapping[type, Callable[[Any], None]],
        outbox: Outbox,
        flusher: Flusher,
        on_start: Callable[[], None],
    ) -> None:
        self._tracker = tracker
        self._outbox = outbox
        self._flusher = flusher
        self._on_start = on_start
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._hurry: queue.SimpleQueue[None] = queue.SimpleQueue()  # ends the tick
        self._thread = LoneThread("runspan-worker", self._work, self._has_more, self._prepare)
        self._is_ending = False
        self._is_stopped = False  # whatever comes now is of calls that were in flight
        self._is_too_late = False  # to start a thread: the interpreter is going down
        self.restarts = -1
        self.dropped: Counter[str] = Counter()
        self._flushes = Flushes(tracker, outbox, flusher, self.dropped)
        self._handlers: Mapping[type, Callable[[Any], None]] = {**handlers, WorkerTask: lambda ask: ask.act()}

    # ------------------------------------------------------------ the caller's side

    def put(self, record: Any) -> None:
        """Hand a record over. Never blocks."""
        weight = admission.weight_of(record)
        queued, weighs = self._queue.qsize(), self._queued_bytes + weight
        if queued >= MAX_QUEUED or weighs > MAX_QUEUED_BYTES:
            if not self._admits(record, queued, weighs):
                return
            weight = admission.weight_of(record)
        self._queued_bytes += weight
        self._queue.put(record)
        if not self._thread.is_running:
            self._start()

    def _admits(self, record: Any, queued: int, weighs: int) -> bool:
        """Whether it may wait; it may have lost its answer."""
        if isinstance(record, WorkerTask) and not record.can_be_spared:
            return True  # the owner of the app asked for it; there are few of them
        has_room = queued < 2 * MAX_QUEUED
        if has_room and weighs <= 2 * MAX_QUEUED_BYTES and admission.is_edge(record):
            return True
        self.dropped["queue_full"] += 1  # it, or its answer
        if has_room and admission.strip(record):
            return True
        self._lose(record)
        return False

    def _lose(self, record: Any) -> bool:
        """End the span that nobody else will end. False: it has none."""
        with guarded("end the span of a record that is not read"):
            call = admission.call_of(record)
            return call is not None and self._tracker.lose(call)
        return False

    def _start(self) -> None:
        # While the interpreter goes down, a new thread would be waited for, and never run. Where there is none, the exit hook does.
        self._is_too_late = sys.is_finalizing() or not self._thread.start()

    def _prepare(self) -> None:
        self.restarts += 1
        self._queue, self._hurry = queue_of_now(self._queue), queue_of_now(self._hurry)
        self._on_start()
        self._flusher.start()

    def _has_more(self) -> bool:
        return not self._queue.empty()

    def wake(self) -> None:
        """Have the thread ready before there is a record: an exit hook may not be able to start it."""
        if self._thread.is_running:
            self._on_start()
        else:
            self._start()

    def flush(self, timeout_s: float, *, closing: bool = False) -> bool:
        """Emit all that is over and have it exported. True when that was done in time, and nothing was left out.

        Never waits for an event loop that its caller blocks.
        """
        return waiting.wait(self.begin, timeout_s, closing=closing)

    def begin(self, flush: Flush) -> bool:
        """Begin a flush, whose caller is answered later. False: it is too late, nobody will be."""
        self.put(WorkerTask(lambda: self._flushes.add(flush)))
        self._end_tick()
        if sys.is_finalizing():
            return False
        # Another thread may have failed to start it, and then we not.
        return self._thread.is_running or not self._is_too_late or self._works_here(flush.deadline_s)

    def _works_here(self, until_s: float) -> bool:
        """Where no thread can be started any more, the caller's does the work. False: it must not."""
        return (
            is_late() and loops.running() is None and self._thread.do_here(lambda: self._work_until(until_s))
        )

    def _work_until(self, until_s: float) -> None:
        while (self._flushes or self._has_more()) and clock.monotonic_s() < until_s:
            self._step()

    def stop(self, last: Callable[[], None]) -> None:
        """Let both threads end once they have nothing to do, after `last`.

        The record of a call that was in flight starts them again: nobody will see the end of its run, so it goes out at once.
        """
        self._is_stopped = True
        if self._thread.is_running:
            self._queue.put(WorkerTask(self._end))
            self._end_tick()
        self._flusher.stop(last)

    def _end(self) -> None:
        self._is_ending = True

    # ------------------------------------------------------------ the thread

    def _work(self) -> None:
        try:
            while not self._is_ending:
                self._step()
        finally:
            self._is_ending = False
        if self._is_stopped and not self._has_more():
            self._flusher.leave()

    def _step(self) -> None:
        record = self._next()
        if record is not None:
            if not isinstance(record, WorkerTask) and not self._flushes:
                with suppress(queue.Empty):
                    self._hurry.get(timeout=TICK_S)
            self._handle(record)
            # What came until now and no more: timers and flushes must not wait for an app that never pauses.
            for _ in range(self._queue.qsize()):
                self._handle(self._queue.get_nowait())
        with guarded("keep the timers"):
            self._tracker.scheduler.tick(clock.now_ns())
            self._outbox.pump()
        self._flusher.revive()
        if self._flushes:
            self._flushes.step()
        elif self._is_stopped and self._queue.empty():
            with guarded("emit what came after the end"):
                self._tracker.emit_all()
            self._is_ending = not self._outbox.is_waiting

    def _end_tick(self) -> None:
        if self._hurry.empty():
            self._hurry.put(None)

    def _next(self) -> Any:
        try:
            return self._queue.get(timeout=self._wait_s())
        except queue.Empty:
            return None

    def _wait_s(self) -> float | None:
        """How long there is nothing to do if no record comes; None: for ever."""
        if self._flushes or self._outbox.is_waiting:
            return 0.005
        if self._flusher.is_stranded:
            return RETRY_S
        if self._is_stopped:  # started for a record that the thread before it still took
            return 0.0
        due_ns = self._tracker.scheduler.next_due_ns()
        return None if due_ns is None else max(0.0, (due_ns - clock.now_ns()) / 1e9)

    def _handle(self, record: Any) -> None:
        self._queued_bytes = 0 if self._queue.empty() else self._queued_bytes - admission.weight_of(record)
        try:
            self._handlers[type(record)](record)
        except Exception as error:
            with guarded("let go of a record that is not read"):
                self._unread(record)
            swallow(f"read a {type(record).__name__}", error)

    def _unread(self, record: Any) -> None:
        """We failed on it."""
        if self._lose(record) and admission.starts_run(record):
            self._tracker.counts.started += 1
            self._tracker.dropped["error"] += 1
