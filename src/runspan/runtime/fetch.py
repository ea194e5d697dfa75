"""Background GETs for what an ended run still lacks: few, patient, and never on the app's threads.

Two daemon threads; at most 5 GETs a second per client; a pause after 429, 5xx or silence. What a GET brought goes back to the
worker as bytes. The worker alone talks to this module.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..guard import guarded, swallow
from . import clock
from .primitives import lock_of_now
from .records import Fetched, Via

THREADS = 2
INTERVAL_NS = 200_000_000  # 5 a second
PAUSE_NS = 10_000_000_000
TIMEOUT_S = 3.0
MAX_OWNERS = 1_000  # clients whose budget is remembered beyond what is due


class Unavailable(Exception):  # noqa: N818 - an answer, not a fault
    """The server said no in a way that asks for a pause (429, 5xx, timeout, no connection)."""


@dataclass(slots=True, order=True)
class _Task:
    ready_ns: int
    number: int
    via: Via = field(compare=False)
    key: Any = field(compare=False)
    what: str = field(compare=False)
    path: str = field(compare=False)
    query: Mapping[str, Any] = field(compare=False)


class Fetcher:
    """`ask(...)` now, `answer(Fetched)` later, always exactly once per ask."""

    def __init__(self, answer: Callable[[Fetched], None]) -> None:
        self._answer = answer
        self._tasks: list[_Task] = []
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []
        self._ready_ns: dict[int, int] = {}
        self._is_closed = False
        self.counts: Counter[str] = Counter()

    def ask(self, via: Via, key: Any, what: str, path: str, query: Mapping[str, Any]) -> None:
        lock = lock_of_now(self._lock)
        if lock is not self._lock:
            self._lock, self._changed = lock, threading.Condition(lock)
        with self._changed:
            ready_ns = max(self._ready_ns.get(via.owner, 0), clock.now_ns())
            if len(self._ready_ns) > MAX_OWNERS:
                now_ns = clock.now_ns()
                self._ready_ns = {owner: at for owner, at in self._ready_ns.items() if at > now_ns}
            self._ready_ns[via.owner] = ready_ns + INTERVAL_NS
            heapq.heappush(self._tasks, _Task(ready_ns, next(self._numbers), via, key, what, path, query))
            self._changed.notify()
            if len(self._threads) < THREADS and not self._is_closed:
                thread = threading.Thread(
                    target=self._work, name=f"runspan-fetch-{len(self._threads)}", daemon=True
                )
                self._threads.append(thread)
                with guarded("start a fetch thread"):
                    thread.start()

    def is_paused(self, via: Via) -> bool:
        """Whether this client's server has asked for rest: an answer would come too late for somebody who waits."""
        return self._ready_ns.get(via.owner, 0) - clock.now_ns() > PAUSE_NS // 2

    def close(self) -> None:
        """Nothing more is asked; what waits is forgotten."""
        with self._changed:
            self._is_closed = True
            self._tasks.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            request_ns = clock.now_ns()
            payload = self._get(task)
            self._answer(Fetched(task.key, task.what, request_ns, clock.now_ns(), payload))

    def _next(self) -> _Task | None:
        with self._changed:
            while not self._is_closed:
                now_ns = clock.now_ns()
                if self._tasks and self._tasks[0].ready_ns <= now_ns:
                    return heapq.heappop(self._tasks)
                self._changed.wait((self._tasks[0].ready_ns - now_ns) / 1e9 if self._tasks else None)
            return None

    def _get(self, task: _Task) -> bytes | None:
        try:
            payload = task.via.get(task.path, task.query, TIMEOUT_S)
        except Unavailable:
            self.counts["failed"] += 1
            self._pause(task.via.owner)
            return None
        except Exception as error:
            self.counts["failed"] += 1
            swallow("fetch what a run lacks", error)
            return None
        self.counts["done" if payload is not None else "impossible"] += 1
        return payload

    def _pause(self, owner: int) -> None:
        """What waits for this server is answered with nothing: runs go out without it rather than late."""
        with self._changed:
            self._ready_ns[owner] = clock.now_ns() + PAUSE_NS
            late = [t for t in self._tasks if t.via.owner == owner]
            self._tasks = [t for t in self._tasks if t.via.owner != owner]
            heapq.heapify(self._tasks)
            self.counts["failed"] += len(late)
        for task in late:
            self._answer(Fetched(task.key, task.what, clock.now_ns(), clock.now_ns(), None))
