"""Flushes under way: what a flush asks of the worker, step by step, and what its caller is told."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from ..guard import guarded
from . import clock
from .outbox import Flusher, Outbox
from .tracker import Tracker

FETCH_SHARE = 0.6  # of a flush's time for GETs that are on their way; the rest is for exporting

Answer = Callable[[bool], None]


class Flush(Struct, eq=False):
    """`answer(ok)`: True when everything that is over is exported, and no GET was cut short.

    A `closing` one also ends the runs that are alive; `then(ok)` follows its end.
    """

    deadline_s: float  # monotonic
    patient_until_s: float  # for GETs
    answer: Answer
    closing: bool = False
    patient: bool = False
    then: Answer | None = None
    is_begun: bool = False
    is_cut: bool = False  # its time for GETs was up before they came

    @classmethod
    def within(
        cls,
        timeout_s: float,
        answer: Answer,
        *,
        closing: bool = False,
        patient: bool = False,
        then: Answer | None = None,
    ) -> Flush:
        """`patient`: its answer is False as soon as GETs are needed; nobody waits, so what is over goes out when it is whole."""
        now_s = clock.monotonic_s()
        patience_s = math.inf if patient and not closing else timeout_s * FETCH_SHARE
        return cls(now_s + timeout_s, now_s + patience_s, answer, closing, patient, then)

    def end(self, ok: bool) -> None:
        ok = ok and not self.is_cut
        self.answer(ok)
        if self.then is not None:
            with guarded("end after the last flush"):
                self.then(ok)


class Flushes:
    """On the worker's thread alone."""

    def __init__(self, tracker: Tracker, outbox: Outbox, flusher: Flusher, dropped: Counter[str]) -> None:
        self._patience = tracker.scheduler
        self._tracker = tracker
        self._outbox = outbox
        self._flusher = flusher
        self._dropped = dropped
        self._waiting: list[Flush] = []

    def add(self, flush: Flush) -> None:
        self._waiting.append(flush)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def step(self) -> None:
        """One pass over them: expedite what settles, wait for the GETs, emit, export."""
        new = [f for f in self._waiting if not f.is_begun]
        with guarded("hasten what lingers"):
            self._patience.expedite(look=bool(new), alive=any(f.closing for f in new))
        for flush in new:
            flush.is_begun = True
        now_s, is_waiting = clock.monotonic_s(), self._patience.is_waiting()
        for flush in self._waiting:
            if is_waiting and flush.patient:
                flush.answer(False)
        ready = [f for f in self._waiting if not is_waiting or now_s >= f.patient_until_s]
        if not ready:
            return
        self._waiting = [f for f in self._waiting if f not in ready]
        for flush in ready:
            flush.is_cut = is_waiting
        with guarded("emit what is over"):
            self._emit(ready)

    def _emit(self, flushes: list[Flush]) -> None:
        closing = any(f.closing for f in flushes)
        if closing:
            self._tracker.emit_all()
        else:
            self._tracker.emit_over()
        is_drained = self._outbox.drain(max(f.deadline_s for f in flushes))
        if closing and not is_drained:
            self._dropped["exit"] += self._outbox.abandon()

        def done(ok: bool) -> None:
            for flush in flushes:
                flush.end(ok)

        self._flusher.ask(done)
