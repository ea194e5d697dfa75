"""Finished spans on their way out, at most `BURST` between two flushes of the provider.

The SDK's batch processor holds 2,048 spans and drops what comes on top. So a burst waits here until the provider has flushed; the
flush runs on a helper thread, because the SDK's `force_flush` ignores its timeout (20 s on a black hole, measured).
"""

from __future__ import annotations

import queue
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ..core.model import SpanData
from ..guard import guarded, swallow
from . import clock
from .emitter import Emitter
from .lone_thread import LoneThread, is_late
from .primitives import queue_of_now
from .records import LiveSpan

BURST = 1_000
MAX_WAITING = 10_000  # finished runs and calls; what comes on top is dropped, and counted


class Flusher:
    """Runs flushes of the provider one after the other on a daemon thread of its own."""

    def __init__(self, flush: Callable[[], bool], flush_metrics: Callable[[], bool] = lambda: True) -> None:
        self._flush = flush
        self._flush_metrics = flush_metrics
        # Each says whether the thread goes on after it.
        self._asked: queue.SimpleQueue[Callable[[], bool]] = queue.SimpleQueue()
        self._thread = LoneThread("runspan-flush", self._work, self._has_more, self._prepare)

    def start(self) -> None:
        """Started beforehand: at the interpreter's exit no thread can be. One alone: of two, one would wait for ever."""
        self._thread.start()  # where the system has no thread for us now, see `revive`

    def _prepare(self) -> None:
        self._asked = queue_of_now(self._asked)

    def _has_more(self) -> bool:
        return not self._asked.empty()

    @property
    def is_stranded(self) -> bool:
        """Something waits, and no thread would do it."""
        return not self._thread.is_running and self._has_more()

    def revive(self) -> None:
        """Called by the worker again and again: a thread that could not be started once may be had a moment later."""
        if self.is_stranded:
            self.start()

    def ask(self, done: Callable[[bool], None], *, burst: bool = False) -> None:
        """Flush, then `done(ok)` on the helper's thread. Between the bursts of spans, metrics can wait."""
        self._asked.put(partial(self._do, done, burst))
        if not self._thread.start() and is_late():
            self._thread.do_here(self._work_off)

    def stop(self, last: Callable[[], None]) -> None:
        """End after what was asked for, and after `last`, which may block."""
        self._asked.put(partial(self._end, last))
        self.start()

    def leave(self) -> None:
        """End after what was asked for, if it runs at all."""
        if self._thread.is_running:
            self._asked.put(lambda: False)

    def _work(self) -> None:
        while self._asked.get()():
            pass

    def _work_off(self) -> None:
        """All that was asked for, and no more."""
        while self._has_more() and self._asked.get()():
            pass

    def _end(self, last: Callable[[], None]) -> bool:
        with guarded("close the provider"):
            last()
        return False

    def _do(self, done: Callable[[bool], None], is_burst: bool) -> bool:
        ok = False
        with guarded("flush the provider"):
            ok = self._flush()
        if not is_burst:
            with guarded("flush the metrics"):
                ok = self._flush_metrics() and ok
        with guarded("answer a flush"):  # whoever asks next would wait for this thread in vain
            done(ok)
        return True


class Outbox:
    """Used on the worker's thread alone, but for the flusher's answer."""

    def __init__(self, emitter: Emitter, flusher: Flusher) -> None:
        self._emitter = emitter
        self._flusher = flusher
        self._waiting: deque[tuple[LiveSpan | Any, SpanData]] = deque()
        self._spent = 0
        self._is_flushing = False
        self.dropped: Counter[str] = Counter()

    def send(self, where: LiveSpan | Any, data: SpanData) -> bool:
        """End the live span `where`, or make a new span under the context `where`; later, if a burst is on its way.

        False: too much waits already, this one is dropped. A run is measured at once, whatever becomes of its spans.
        """
        if isinstance(where, LiveSpan):
            with guarded("measure a run"):
                self._emitter.measure(where, data)
        if len(self._waiting) >= MAX_WAITING:
            self.dropped["outbox_full"] += 1
            return False
        self._waiting.append((where, data))
        self.pump()
        return True

    def measure_tool(self, data: SpanData, context: Any) -> None:
        """A call of a tool outside of its run."""
        with guarded("measure a tool"):
            self._emitter.metrics.tool(data, context)

    def pump(self) -> None:
        if self._is_flushing:
            self._flusher.revive()
        while self._waiting and not self._is_flushing:
            where, data = self._waiting.popleft()
            self._emit(where, data)
            if self._spent >= BURST:
                self._is_flushing = True
                self._flusher.ask(self._flushed, burst=True)

    def drain(self, deadline_s: float) -> bool:
        """Emit what waits, flush by flush, until `deadline_s` (monotonic). False: something is left."""
        while True:
            self.pump()
            if not self._waiting:
                return True
            if clock.monotonic_s() >= deadline_s:
                return False
            time.sleep(0.005)

    def abandon(self) -> int:
        """Forget what waits; how many runs and calls that were."""
        lost = len(self._waiting)
        self._waiting.clear()
        return lost

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def _flushed(self, _: bool) -> None:
        self._spent = 0
        self._is_flushing = False

    def _emit(self, where: LiveSpan | Any, data: SpanData) -> None:
        try:
            if isinstance(where, LiveSpan):
                self._emitter.end(where, data)
            else:
                self._emitter.make(data, where)
        except Exception as error:
            swallow("emit spans", error)
            with guarded("end a span that could not be described"):
                if isinstance(where, LiveSpan) and where.span.is_recording():
                    where.span.end()
        self._spent += 1 + len(data.children)
