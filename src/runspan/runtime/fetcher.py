"""Background GETs for what an ended run still lacks: as many as the budget of its server allows, on daemon threads of our own.

What a GET brought goes back to the worker as bytes. The worker alone talks to this module, but for `prepare`. A GET of an async
client runs on the app's event loop while that loop runs; the fetch thread waits for it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from ..guard import swallow
from . import clock
from .budget import Budget
from .lone_thread import is_late
from .primitives import lock_of_now
from .records import BackgroundClient, Fetched

MAX_THREADS = 16  # GETs under way at once; a thread is started when all others are at work
IDLE_S = 10.0  # after which all threads but one end
RETRY_NS = 200_000_000  # between two attempts to start a thread
PAUSE_NS = 10_000_000_000
TIMEOUT_S = 3.0
MAX_KNOWN = 1_000  # servers whose budget, and clients whose pause, is remembered


class Unavailable(Exception):  # noqa: N818 - an answer, not a fault
    """The server refuses in a way that asks for a pause (429, 5xx, timeout, no connection)."""


class _Task(Struct, eq=False):
    via: BackgroundClient
    key: Any
    what: str
    path: str
    query: Mapping[str, Any]


class Fetcher:
    """`ask(...)` now, `answer(Fetched)` later, always exactly once per ask."""

    def __init__(self, answer: Callable[[Fetched], None]) -> None:
        self._answer = answer
        self._waiting: dict[int, deque[_Task]] = {}  # by owner; the one that had its turn goes last
        self._budgets: dict[str, Budget] = {}
        self._paused: dict[int, int] = {}  # by owner, until when
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._conversations: set[threading.Thread] = set()
        self._idle = 0
        self._retry_ns: int | None = None  # when to try again to start a thread
        self._is_closed = False
        self.counts: Counter[str] = Counter()

    # ------------------------------------------------------------ the worker's side

    def earn(self, server: str, calls: int = 1) -> None:
        """The app made so many calls to `server`."""
        with self._lock:
            self._budget(server).earn(calls)
            if self._waiting:
                self._changed.notify()

    def prepare(self) -> None:
        """Have one thread ready: at the interpreter's exit none can be started."""
        with self._locked():
            if not self._conversations and not self._is_closed:
                self._start()

    def ask(self, via: BackgroundClient, key: Any, what: str, path: str, query: Mapping[str, Any]) -> None:
        """Send the GET as soon as its server's budget allows."""
        with self._locked():
            if self._is_closed:
                return
            self._waiting.setdefault(via.owner, deque()).append(_Task(via, key, what, path, query))
            self._changed.notify()
            self._staff()

    def tend(self) -> None:
        """Try again to start a thread, where the last attempt failed."""
        if self._retry_ns is not None and self._retry_ns <= clock.now_ns():
            with self._locked():
                self._staff()

    def next_due_ns(self) -> int | None:
        """When `tend` has something to do."""
        return self._retry_ns

    def is_paused(self, via: BackgroundClient) -> bool:
        """Whether an answer would come too late for somebody who waits: its server asked for rest, or all has ended."""
        return self._is_closed or self._paused.get(via.owner, 0) - clock.now_ns() > PAUSE_NS // 2

    def close(self) -> None:
        """Nothing more is asked; what waits is forgotten."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._retry_ns = None
            self._changed.notify_all()

    # ------------------------------------------------------------ threads; with the lock held

    def _locked(self) -> threading.Condition:
        """The condition, of gevent's kind where gevent patched the process since."""
        lock = lock_of_now(self._lock)
        if lock is not self._lock:
            self._lock, self._changed = lock, threading.Condition(lock)
        return self._changed

    def _staff(self) -> None:
        """Start a thread where a GET is ready and all threads are at work."""
        self._retry_ns = None
        if self._idle or len(self._conversations) >= MAX_THREADS or self._is_closed:
            return
        now_ns = clock.now_ns()
        if not self._conversations or any(self._ready_ns(owner, now_ns) <= now_ns for owner in self._waiting):
            self._start()

    def _start(self) -> None:
        thread = threading.Thread(
            target=self._work, name=f"runspan-fetch-{len(self._conversations)}", daemon=True
        )
        self._conversations.add(thread)
        try:
            thread.start()
        except RuntimeError:  # can't start new thread: those that run do its work, or it is tried again
            self._conversations.discard(thread)
            if self._waiting and not self._conversations:
                if is_late():
                    self._refuse([task for tasks in self._waiting.values() for task in tasks])
                    self._waiting.clear()
                else:
                    self._retry_ns = clock.now_ns() + RETRY_NS

    def _work(self) -> None:
        while (task := self._next()) is not None:
            request_ns = clock.now_ns()
            payload = self._get(task)
            self._answer(Fetched(task.key, task.what, request_ns, clock.now_ns(), payload))

    def _next(self) -> _Task | None:
        """The next GET that may go; None: this thread is to end."""
        with self._changed:
            while not self._is_closed:
                now_ns = clock.now_ns()
                due_ns = None
                for owner in self._waiting:
                    ready_ns = self._ready_ns(owner, now_ns)
                    if ready_ns <= now_ns:
                        return self._take(owner, now_ns)
                    due_ns = ready_ns if due_ns is None else min(due_ns, ready_ns)
                self._idle += 1
                was_notified = self._changed.wait(IDLE_S if due_ns is None else (due_ns - now_ns) / 1e9)
                self._idle -= 1
                if not was_notified and due_ns is None and not self._waiting and len(self._conversations) > 1:
                    break
            self._conversations.discard(threading.current_thread())
            return None

    def _take(self, owner: int, now_ns: int) -> _Task:
        tasks = self._waiting.pop(owner)
        task = tasks.popleft()
        self._budget(task.via.server).take(now_ns)
        if tasks:
            self._waiting[owner] = tasks
        if self._waiting:
            self._staff()
        return task

    def _ready_ns(self, owner: int, now_ns: int) -> int:
        """When the next GET of this client may go."""
        server = self._waiting[owner][0].via.server
        return max(self._budget(server).ready_ns(now_ns), self._paused.get(owner, 0))

    def _budget(self, server: str) -> Budget:
        known = self._budgets.get(server)
        if known is None:
            if len(self._budgets) >= MAX_KNOWN:
                del self._budgets[next(iter(self._budgets))]
            known = self._budgets[server] = Budget()
        return known

    # ------------------------------------------------------------ one GET

    def _get(self, task: _Task) -> bytes | None:
        try:
            payload = task.via.get(task.path, task.query, TIMEOUT_S)
        except Unavailable:
            self.counts["failed"] += 1
            self._pause(task.via.owner)
            return None
        except BaseException as error:
            # Also what ends a thread: this one is ours, and the ask is to be answered.
            self.counts["failed"] += 1
            if isinstance(error, Exception):
                swallow("fetch what a run lacks", error)
            return None
        self.counts["done" if payload is not None else "impossible"] += 1
        return payload

    def _pause(self, owner: int) -> None:
        """What waits for this client's server is answered with nothing: runs go out without it rather than late."""
        with self._changed:
            now_ns = clock.now_ns()
            self._paused = {one: until for one, until in self._paused.items() if until > now_ns}
            self._paused[owner] = now_ns + PAUSE_NS
            late = list(self._waiting.pop(owner, ()))
        self._refuse(late)

    def _refuse(self, tasks: list[_Task]) -> None:
        self.counts["failed"] += len(tasks)
        for task in tasks:
            self._answer(Fetched(task.key, task.what, clock.now_ns(), clock.now_ns(), None))
