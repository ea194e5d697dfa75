"""The tracker's door: records go in as the patches make them, no client and no sockets; spans come out where they are counted.

The only place of the tools that knows runspan's inside.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor

from benches.timing import provider_with
from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.clients.starts import run_data
from runspan.config import resolve
from runspan.core.model import ApiError, Server
from runspan.runtime import clock
from runspan.runtime.records import Call, Page, StreamClosed, StreamEvent, StreamRef
from runspan.setup import Handle

SERVER = Server("http://127.0.0.1:9/v1/", "127.0.0.1", 9, "openai")
SECOND = 1_000_000_000
TOOK_NS = 1_000  # one call
AT = 1_700_000_000

Messages = list[dict[str, str]]


class Door:
    """`take` reads a record at once, `put` hands it to the worker's thread. Without a processor: runspan's own provider.

    `handle`: of an `instrument()` that has been called, instead of one of its own.
    """

    def __init__(
        self,
        processor: SpanProcessor | None = None,
        *,
        simulated: bool = False,
        handle: Handle | None = None,
        **options: Any,
    ) -> None:
        self.now_ns = clock.now_ns()
        if simulated:
            clock.now_ns = lambda: self.now_ns
        if processor is not None:
            options["tracer_provider"] = provider_with(processor)
        self.handle = handle or Handle(resolve({"fetch": "never", **options}, {}))
        if processor is None and handle is None:
            self.handle._providers.open()
        self._starts = self.handle._patch._starts
        self._worker = self.handle._worker
        self.put = self._worker.put
        self.take = self._worker._handle

    @property
    def queued(self) -> int:
        return self._worker._queue.qsize()

    def tick(self) -> None:
        """What the worker does after a batch."""
        self.handle._tracker.scheduler.tick(clock.now_ns())
        outbox = self._worker._outbox
        outbox.pump()
        while outbox.is_waiting:  # for the flush of the burst before
            time.sleep(0.0005)
            outbox.pump()

    def emit_over(self) -> None:
        """Runs that are over go out now, whatever they still wait for."""
        self.handle._tracker.emit_over()
        self.tick()

    # ------------------------------------------------------------ records

    def call(self, method: str, path: str, result: Any, body: bytes | None = None) -> Call:
        found = match(method, path)
        assert found is not None
        now_ns = clock.now_ns()
        self.now_ns += 2 * TOOK_NS  # the next call begins after this one has ended
        return Call(API, found, SERVER, now_ns, now_ns + TOOK_NS, body=body, result=result)

    def creating(self, sent: dict[str, Any], result: bytes, body: bytes | None = None) -> Call:
        """`POST /threads/runs` of a run on a thread of its own, with its open span."""
        call = self.call("post", "/threads/runs", result, body or dumps(sent))
        call.live = self._starts._emitter.begin(run_data(call, sent, self._starts._agent_of))
        call.context = call.live.context
        return call

    def started(self, number: int, messages: Messages) -> Call:
        sent = {"assistant_id": "asst_1", "thread": {"messages": messages}}
        return self.creating(sent, dumps(run(number, "queued")))

    def polled(self, number: int, status: str) -> Call:
        return self.call("get", f"/threads/thread_{number}/runs/run_{number}", dumps(run(number, status)))

    def listed(self, number: int, messages: Messages) -> Call:
        return self.call(
            "get", f"/threads/thread_{number}/messages", Page(tuple(listing(number, messages)), False)
        )

    def whole_run(self, number: int, messages: Messages) -> Iterator[Call]:
        yield self.started(number, messages)
        yield self.polled(number, "in_progress")
        yield self.polled(number, "completed")
        yield self.listed(number, messages)

    def streamed(self, number: int, messages: Messages, *, is_cut: bool) -> Iterator[Any]:
        """A stream to its end, or left after the first event."""
        call = self.started(number, messages)
        call.streams, call.result = True, None
        stream = StreamRef.of(call)
        answer = message(number, 0, "assistant", "It is 42.", f"run_{number}")
        events = [
            ("thread.run.created", run(number, "queued")),
            ("thread.message.completed", {**answer, "status": "completed"}),
            ("thread.run.completed", run(number, "completed")),
        ]
        for name, data in events[: 1 if is_cut else None]:
            yield StreamEvent(stream, name, clock.now_ns(), dumps(data))
        yield StreamClosed(stream, clock.now_ns())

    def refused(self, number: int, messages: Messages) -> Iterator[Call]:
        """A POST that gave no run."""
        call = self.started(number, messages)
        call.result, call.error = None, ApiError("rate_limit_exceeded", f"No run {number} now.")
        yield call


def question(number: int) -> Messages:
    return [{"role": "user", "content": f"What is {number} times 7?"}]


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def run(number: object, status: str, **more: Any) -> dict[str, Any]:
    """A Run object as the API gives it."""
    is_over = status == "completed"
    return {
        "id": f"run_{number}", "object": "thread.run", "thread_id": f"thread_{number}", "assistant_id": "asst_1",
        "status": status, "model": "gpt-4o", "instructions": "You are a personal math tutor.", "tools": [],
        "metadata": {}, "temperature": 1.0, "top_p": 1.0,
        "created_at": AT, "started_at": None if status == "queued" else AT,
        "completed_at": AT + 1 if is_over else None, "expires_at": None if is_over else AT + 600,
        "usage": {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35} if is_over else None,
        **more,
    }  # fmt: skip


def message(number: object, index: int, role: str, text: str, run_id: str | None) -> dict[str, Any]:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    return {
        "id": f"msg_{number}_{index}", "object": "thread.message", "created_at": AT, "thread_id": f"thread_{number}",
        "role": role, "run_id": run_id, "content": content, "metadata": {},
    }  # fmt: skip


def listing(number: object, asked: Messages) -> Iterator[bytes]:
    """The answer and what was asked, newest first, as `messages.list` gives them."""
    yield dumps(message(number, 0, "assistant", "It is 42.", f"run_{number}"))
    for index, sent in enumerate(reversed(asked), start=1):
        yield dumps(message(number, index, sent["role"], sent["content"], None))
