"""The worker alone, with everything below it replaced by a notebook."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from runspan.apis.assistants import API, routes
from runspan.core.model import Server
from runspan.runtime.records import (
    Call,
    Fetched,
    HandlerError,
    StreamChunk,
    StreamClosed,
    StreamDeltas,
    StreamEvent,
    WorkerTask,
)
from runspan.runtime.worker import Worker

SERVER = Server("http://127.0.0.1:1/v1", "127.0.0.1", 1, "openai")


class Notebook:
    """Handlers, tracker, outbox and flusher in one: notes what it is given, in order, and has nothing to do besides."""

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.unlearnt: list[Any] = []
        self.on_read: Callable[[Any], None] | None = None
        self.scheduler = self  # of the tracker, as are the next two
        self.counts = SimpleNamespace(started=0)
        self.dropped: Counter[str] = Counter()

    def call(self, record: Any) -> None:
        self.read.append(record)
        if self.on_read is not None:
            self.on_read(record)

    is_stranded = False  # of the flusher

    def revive(self) -> None: ...

    class outbox:  # noqa: N801
        is_waiting = False

        @staticmethod
        def pump() -> None: ...

        @staticmethod
        def drain(deadline_s: float) -> bool:
            return True

        @staticmethod
        def abandon() -> int:
            return 0

    def lose(self, call: Any) -> bool:
        live = call.take_span()
        self.unlearn(call)
        if live is not None:
            live.span.end()
        return live is not None

    def unlearn(self, call: Any) -> None:
        self.unlearnt.append(call)

    def tick(self, now_ns: int) -> None: ...
    def expedite(self, *, look: bool, alive: bool) -> None: ...
    def emit_over(self) -> None: ...
    def emit_all(self) -> None: ...
    def next_due_ns(self) -> None: ...
    def start(self) -> None: ...
    def stop(self, last: Callable[[], None]) -> None:
        last()

    def leave(self) -> None: ...

    def is_waiting(self) -> bool:
        return False

    def ask(self, done: Callable[[bool], None]) -> None:
        done(True)


def working(on_start: Callable[[], None] = lambda: None) -> tuple[Worker, Notebook]:
    notes: Any = Notebook()
    kinds = (Call, StreamEvent, StreamDeltas, StreamChunk, StreamClosed, HandlerError, Fetched)
    return Worker(notes, dict.fromkeys(kinds, notes.call), notes.outbox, notes, on_start), notes


@contextmanager
def held(worker: Worker) -> Iterator[None]:
    """While the block runs, the worker is busy with something else, and its queue grows."""
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        assert go_on.wait(60)

    worker.put(WorkerTask(hold))
    assert arrived.wait(60)
    try:
        yield
    finally:
        go_on.set()


def poll(run_id: str = "run_1", at_ns: int = 1, result: Any = None) -> Call:
    """`GET` of a run, answered."""
    match = routes.match("get", f"/threads/thread_1/runs/{run_id}")
    assert match is not None
    return Call(API, match, SERVER, at_ns, at_ns + 1, result=result)


def start() -> Call:
    """`POST` that creates a run, answered."""
    match = routes.match("post", "/threads/thread_1/runs")
    assert match is not None
    return Call(API, match, SERVER, 1, 2, result=b'{"id": "run_1"}')


def listing() -> Call:
    """`GET` of the thread's messages, answered."""
    match = routes.match("get", "/threads/thread_1/messages")
    assert match is not None
    return Call(API, match, SERVER, 1, 2)
