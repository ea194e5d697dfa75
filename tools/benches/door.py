"""The tracker's door: records go in as the patches make them, no client and no sockets; spans come out where they are counted.

The only place of the bench that knows runspan's inside.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.clients.openai.starts import run_data
from runspan.config import resolve
from runspan.core.model import ApiError, Server
from runspan.runtime import clock
from runspan.runtime.records import Call, Page, StreamClosed, StreamEvent, StreamRef
from runspan.setup import Handle

SERVER = Server("http://127.0.0.1:9/v1/", "127.0.0.1", 9, "openai")
SECOND = 1_000_000_000
TOOK_NS = 1_000  # one call


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
            options["tracer_provider"] = TracerProvider(shutdown_on_exit=False)
            options["tracer_provider"].add_span_processor(processor)
        self.handle = handle or Handle(resolve({"fetch": "never", **options}, {}))
        self._worker = self.handle._worker
        self.put = self._worker.put
        self.take = self._worker._handle

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

    def started(self, number: int, messages: list[dict[str, str]]) -> Call:
        """`POST /threads/runs` of run `number` on a thread of its own."""
        thread = {"messages": messages} if messages else {}
        sent = {"assistant_id": "asst_1", "thread": thread}
        call = self._call("post", "/threads/runs", sent, run(number, "queued"))
        call.live = self.handle._patch._starts._emitter.begin(
            run_data(call, sent, self.handle._patch._starts._agent_of)
        )
        call.context = call.live.context
        return call

    def polled(self, number: int, status: str) -> Call:
        return self._call("get", f"/threads/thread_{number}/runs/run_{number}", None, run(number, status))

    def answered(self, method: str, path: str, result: Any) -> Call:
        return self._call(method, path, None, result)

    def listed(self, number: int, messages: list[dict[str, str]]) -> Call:
        """`messages.list`: the answer and what was asked, newest first."""
        found = [message(number, 0, "assistant", "It is 42.", f"run_{number}")]
        found += [
            message(number, i + 1, m["role"], m["content"], None) for i, m in enumerate(reversed(messages))
        ]
        call = self._call("get", f"/threads/thread_{number}/messages", None, {})
        call.result = Page(tuple(map(dumps, found)), False)
        return call

    def whole_run(self, number: int, messages: list[dict[str, str]]) -> Iterator[Call]:
        yield self.started(number, messages)
        yield self.polled(number, "in_progress")
        yield self.polled(number, "completed")
        yield self.listed(number, messages)

    def streamed(self, number: int, messages: list[dict[str, str]], *, is_cut: bool) -> Iterator[Any]:
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

    def refused(self, number: int, messages: list[dict[str, str]]) -> Iterator[Call]:
        """A POST that gave no run."""
        call = self.started(number, messages)
        call.result, call.error = None, ApiError("rate_limit_exceeded", f"No run {number} now.")
        yield call

    def _call(self, method: str, path: str, body: Any, result: Any) -> Call:
        found = match(method, path)
        assert found is not None
        now_ns = clock.now_ns()
        self.now_ns += 2 * TOOK_NS  # the next call begins after this one has ended
        return Call(
            API,
            found,
            SERVER,
            now_ns,
            now_ns + TOOK_NS,
            body=dumps(body) if body is not None else None,
            result=dumps(result),
        )


def question(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"What is {number} times 7?"}]


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def run(number: int, status: str) -> dict[str, Any]:
    """A Run object as the API gives it."""
    at = 1_700_000_000
    return {
        "id": f"run_{number}",
        "object": "thread.run",
        "thread_id": f"thread_{number}",
        "assistant_id": "asst_1",
        "status": status,
        "model": "gpt-4o",
        "instructions": "You are a personal math tutor.",
        "tools": [],
        "metadata": {},
        "created_at": at,
        "started_at": at if status != "queued" else None,
        "completed_at": at + 1 if status == "completed" else None,
        "expires_at": at + 600 if status != "completed" else None,
        "usage": {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}
        if status == "completed"
        else None,
        "temperature": 1.0,
        "top_p": 1.0,
    }


def message(number: int, index: int, role: str, text: str, run_id: str | None) -> dict[str, Any]:
    return {
        "id": f"msg_{number}_{index}",
        "object": "thread.message",
        "created_at": 1_700_000_000,
        "thread_id": f"thread_{number}",
        "role": role,
        "run_id": run_id,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "metadata": {},
    }
