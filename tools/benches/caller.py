"""What runspan adds on the caller's thread: polls and streamed events, the network cut out.

Requests and results are real ones of the installed client, got from the fake once. Then `SyncAPIClient.request` is replaced by a
stub that hands those out, and `instrument()` patches the stub: what is timed is the whole patch, wrapt's wrapper included.
"""

from __future__ import annotations

import copy
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
from openai._base_client import SyncAPIClient
from opentelemetry.sdk.trace import TracerProvider

import runspan
from benches.table import Row
from benches.timing import CHUNKS, bare_spans, best_us
from runspan.apis.assistants import API
from runspan.clients.openai.stream_taps import tap_bytes
from runspan.clients.openai.taps import ChunkTap
from runspan.core.model import Server
from runspan.fake import Message, Scenario, SimulatedClock, serve
from runspan.runtime.records import Call, StreamRef

CALLS, ROUNDS, CHUNKED = 50, 30, 500
LONG_ANSWER = Scenario(phases=(Message("word " * 600),), queue_s=0)

Taken = tuple[tuple[Any, ...], dict[str, Any], Any]


def rows() -> Iterator[Row]:
    yield from _polls()
    yield from _events()
    yield _chunks()
    yield _network_calls()


# ---------------------------------------------------------------- polls


def _polls() -> Iterator[Row]:
    created, live, raw, over = _taken_polls()
    names = {
        "one runs.retrieve poll of a live run": live,
        "one poll of the helpers (raw response)": raw,
        "one poll that finds the run over (whole copy)": over,
    }
    for what, taken in names.items():
        times = _with_and_without(taken, created)
        added = times["with"] - times["without"]
        budget = None if taken is over else 5.0
        yield Row(
            f"added by {what}",
            added,
            "us",
            budget,
            bare=added / times["bare"],
            note=f"bare span {times['bare']:.1f} us",
        )


def _taken_polls() -> tuple[Taken, Taken, Taken, Taken]:
    """(arguments, result) of `SyncAPIClient.request` for the call that creates a run, and three kinds of poll of it."""
    taken: list[Taken] = []
    with serve("slow") as server, openai.OpenAI(api_key="none", base_url=server.base_url) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief. " * 40)
        with _taking(taken):
            run = client.beta.threads.create_and_run(assistant_id=assistant.id)
            runs = client.beta.threads.runs
            runs.retrieve(run.id, thread_id=run.thread_id)
            runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)
            runs.cancel(run.id, thread_id=run.thread_id)
            while runs.retrieve(run.id, thread_id=run.thread_id).status != "cancelled":
                pass
    return taken[0], taken[1], taken[2], taken[-1]


@contextmanager
def _taking(taken: list[Taken]) -> Iterator[None]:
    original = SyncAPIClient.request

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        taken.append((args, kwargs, result))
        return result

    with _as_request(request):
        yield


@contextmanager
def _as_request(stub: Callable[..., Any]) -> Iterator[None]:
    original = SyncAPIClient.request
    SyncAPIClient.request = stub  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        SyncAPIClient.request = original  # type: ignore[method-assign]


def _with_and_without(taken: Taken, created: Taken) -> dict[str, float]:
    """Of a run that this process has created."""
    args, kwargs, result = created

    def stub(self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        return result

    def calls_of(client: Any) -> Callable[[], None]:
        def calls() -> None:
            request = client.request
            for _ in range(CALLS):
                request(*args, **kwargs)

        return calls

    with _instrumented_stub(stub) as (ours, plain):
        ours.request(*args, **kwargs)
        args, kwargs, result = taken
        variants = {"with": calls_of(ours), "without": calls_of(plain), "bare": bare_spans(CALLS)}
        return best_us(variants, calls=CALLS, rounds=ROUNDS, settle=runspan.flush)


@contextmanager
def _instrumented_stub(stub: Callable[..., Any]) -> Iterator[tuple[Any, Any]]:
    """A client whose `request` is the stub, patched, and one whose `request` is the stub alone."""

    class Plain(openai.OpenAI):
        request = stub  # type: ignore[assignment]

    address = {"api_key": "none", "base_url": "http://127.0.0.1:9/v1"}
    with _as_request(stub), _instrumented():
        yield openai.OpenAI(**address), Plain(**address)


@contextmanager
def _instrumented() -> Iterator[None]:
    runspan.instrument(tracer_provider=TracerProvider(shutdown_on_exit=False), fetch="never")
    try:
        yield
    finally:
        runspan.uninstrument()


# ---------------------------------------------------------------- streamed events


def _events() -> Iterator[Row]:
    taken, events = _taken_stream()
    deltas = [event for event in events if event.event == "thread.message.delta"]
    others = [event for event in events if not event.event.endswith(".delta")]
    for what, several, budget in (
        ("one streamed event, mean of a run with 600 deltas", events, 1.0),
        ("one text delta", deltas, 1.0),
        ("one event that is not a delta (whole copy)", others * 20, None),
    ):
        times = _streamed(taken, several)
        added = times["with"] - times["without"]
        yield Row(f"added by {what}", added, "us", budget, bare=added / times["bare"])


def _call() -> Call:
    matched = API.match("post", "/threads/thread_1/runs")
    assert matched is not None
    return Call(API, matched, Server("", None, None, "openai"), 0)


def _chunks() -> Row:
    """Of an event stream that the app reads itself (`with_streaming_response`), an event a chunk."""
    data = {
        "id": "msg_1",
        "object": "thread.message.delta",
        "delta": {"content": [{"text": {"value": "word "}}]},
    }
    chunk = f"event: thread.message.delta\ndata: {json.dumps(data)}\n\n".encode()

    class Response:
        is_closed = is_stream_consumed = False

        def __init__(self) -> None:
            self.headers: dict[str, str] = {}
            self.stream: Any = [chunk] * CHUNKED

        def iter_bytes(self) -> Iterator[bytes]:
            yield from self.stream

    seen = deque[object](maxlen=100)
    ours = Response()
    tap = ChunkTap(seen.append, StreamRef.of(_call()), print, print)
    tap_bytes(ours, tap)

    def drain(response: Response) -> Callable[[], None]:
        def drained() -> None:
            tap._is_closed = False  # it is drained again and again
            for _ in response.iter_bytes():
                pass

        return drained

    variants = {"with": drain(ours), "without": drain(Response()), "bare": bare_spans(CHUNKED)}
    times = best_us(variants, calls=CHUNKED, rounds=ROUNDS, settle=lambda: None)
    if len(seen) < 100:
        raise SystemExit("the chunks were not seen")
    added = times["with"] - times["without"]
    return Row("added by one chunk of a stream read as bytes", added, "us", 1.0, bare=added / times["bare"])


def _taken_stream() -> tuple[Taken, list[Any]]:
    taken: list[Taken] = []
    with serve(LONG_ANSWER, SimulatedClock()) as server, _taking(taken):
        client = openai.OpenAI(api_key="none", base_url=server.base_url)
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        thread = client.beta.threads.create()
        stream = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True)
        events = list(stream)
        client.close()
    return taken[-1], events


def _streamed(taken: Taken, events: list[Any]) -> dict[str, float]:
    args, kwargs, stream = taken

    def stub(self: Any, cast_to: Any, options: Any, *, stream: Any = False, stream_cls: Any = None) -> Any:
        return fresh()

    def fresh() -> Any:
        """The same stream, once more from its start."""
        again = copy.copy(stream)
        again._iterator = iter(events)
        return again

    def reading(client: Any) -> Callable[[], None]:
        unread = [client.request(*args, **kwargs) for _ in range(ROUNDS * CHUNKS)]

        def read() -> None:
            for _ in unread.pop():
                pass

        return read

    with _instrumented_stub(stub) as (ours, plain):
        variants = {"with": reading(ours), "without": reading(plain), "bare": bare_spans(len(events))}
        return best_us(variants, calls=len(events), rounds=ROUNDS, settle=runspan.flush)


# ---------------------------------------------------------------- network calls of ours


def _network_calls() -> Row:
    """Connects and sends on the app's thread over whole runs, with runspan less those without."""
    without = _sends_of_an_app()
    with _instrumented():
        with_runspan = _sends_of_an_app()
    note = f"{without} of the app's own, the same with runspan" if with_runspan == without else ""
    return Row("network calls of ours on the caller's thread", with_runspan - without, "", 0, note=note)


def _sends_of_an_app() -> int:
    counts = 0
    here = threading.get_ident()
    real = {name: getattr(socket.socket, name) for name in ("connect", "send", "sendall")}

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(self: socket.socket, *args: Any) -> Any:
            nonlocal counts
            counts += threading.get_ident() == here
            return method(self, *args)

        return counted

    with (
        serve(clock=SimulatedClock()) as server,
        openai.OpenAI(api_key="none", base_url=server.base_url) as client,
    ):
        for name, method in real.items():
            setattr(socket.socket, name, counting(method))
        try:
            _use(client)
        finally:
            for name in real:
                delattr(socket.socket, name)  # they are the C class's own
    return counts


def _use(client: Any) -> None:
    threads = client.beta.threads
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    thread = threads.create(messages=[{"role": "user", "content": "3x + 11 = 14?"}])
    for _ in range(3):
        threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=1)
        threads.messages.list(thread.id)
    with threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        stream.until_done()
    threads.runs.create(thread.id, assistant_id=assistant.id)  # and never looked at again
