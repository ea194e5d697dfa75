"""What runspan adds on the caller's thread: polls and streamed events, the network cut out.

Requests and results are real ones of the installed client, got from the fake once. Then `SyncAPIClient.request` is replaced by a
stub that hands those out, and `instrument()` patches the stub: what is timed is the whole patch, wrapt's wrapper included.
"""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import openai
from openai._base_client import SyncAPIClient

import runspan
from benches.door import SERVER
from benches.timing import CHUNKS, bare_spans, best_us, instrumented
from runspan.apis.assistants import API
from runspan.clients.openai.stream_taps import tap_bytes
from runspan.clients.taps import ChunkTap
from runspan.fake import Message, Scenario, SimulatedClock, serve
from runspan.runtime.records import Call, StreamRef
from table import Row

CALLS, ROUNDS, CHUNKED = 50, 30, 500
LONG_ANSWER = Scenario(phases=(Message("word " * 600),), queue_s=0)

Taken = tuple[tuple[Any, ...], dict[str, Any], Any]  # arguments of a `request`, and its result


def rows() -> Iterator[Row]:
    created, live, raw, over = _taken_polls()
    yield _added("one runs.retrieve poll of a live run", _of_calls(live, created), 5.0)
    yield _added("one poll of the helpers (raw response)", _of_calls(raw, created), 5.0)
    yield _added("one poll that finds the run over (whole copy)", _of_calls(over, created), None)
    stream, events = _taken_stream()
    others = [event for event in events if not event.event.endswith(".delta")]
    yield _added("one streamed event, mean of a run with 600 deltas", _of_events(stream, events), 1.0)
    yield _added("one event that is not a delta (whole copy)", _of_events(stream, others * 20), None)
    yield _added("one chunk of a stream read as bytes", _of_chunks(), 1.0)


def _added(what: str, times: dict[str, float], budget: float | None) -> Row:
    added = times["with"] - times["without"]
    note = f"bare span {times['bare']:.1f} us"
    return Row(f"added by {what}", added, "us", budget, bare=added / times["bare"], note=note)


# ---------------------------------------------------------------- what the client really does, once


def _taken_polls() -> tuple[Taken, Taken, Taken, Taken]:
    """The call that creates a run, and three kinds of poll of it."""
    with serve("slow") as server, openai.OpenAI(api_key="none", base_url=server.base_url) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief. " * 40)
        with _taking() as taken:
            run = client.beta.threads.create_and_run(assistant_id=assistant.id)
            runs = client.beta.threads.runs
            runs.retrieve(run.id, thread_id=run.thread_id)
            runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)
            runs.cancel(run.id, thread_id=run.thread_id)
            while runs.retrieve(run.id, thread_id=run.thread_id).status != "cancelled":
                pass
    return taken[0], taken[1], taken[2], taken[-1]


def _taken_stream() -> tuple[Taken, list[Any]]:
    with (
        serve(LONG_ANSWER, SimulatedClock()) as server,
        openai.OpenAI(api_key="none", base_url=server.base_url) as client,
        _taking() as taken,
    ):
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        thread = client.beta.threads.create()
        events = list(client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True))
    return taken[-1], events


@contextmanager
def _taking() -> Iterator[list[Taken]]:
    original, taken = SyncAPIClient.request, list[Taken]()

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        taken.append((args, kwargs, original(self, *args, **kwargs)))
        return taken[-1][2]

    with patch.object(SyncAPIClient, "request", request):
        yield taken


# ---------------------------------------------------------------- the same without a network


@contextmanager
def _stubbed(answer: Callable[[], Any]) -> Iterator[tuple[Any, Any]]:
    """A client whose `request` gives the answer, patched by runspan, and one whose `request` gives it alone."""

    def stub(self: Any, cast_to: Any, options: Any, *, stream: Any = False, stream_cls: Any = None) -> Any:
        return answer()

    class Plain(openai.OpenAI):
        request = stub  # type: ignore[assignment]

    address = {"api_key": "none", "base_url": "http://127.0.0.1:9/v1"}
    with patch.object(SyncAPIClient, "request", stub), instrumented(fetch="never"):
        yield openai.OpenAI(**address), Plain(**address)


def _of_calls(taken: Taken, created: Taken) -> dict[str, float]:
    """Of a run that this process has created."""
    args, kwargs, result = created

    def calls_of(client: Any) -> Callable[[], None]:
        def calls() -> None:
            request = client.request
            for _ in range(CALLS):
                request(*args, **kwargs)

        return calls

    with _stubbed(lambda: result) as (ours, plain):
        ours.request(*args, **kwargs)
        args, kwargs, result = taken
        variants = {"with": calls_of(ours), "without": calls_of(plain), "bare": bare_spans(CALLS)}
        return best_us(variants, calls=CALLS, rounds=ROUNDS, settle=runspan.flush)


def _of_events(taken: Taken, events: list[Any]) -> dict[str, float]:
    args, kwargs, stream = taken

    def fresh() -> Any:
        """The same stream, once more from its start."""
        again = copy.copy(stream)
        again._iterator = iter(events)
        return again

    def reading(client: Any) -> Callable[[], None]:
        unread = [client.request(*args, **kwargs) for _ in range(ROUNDS * CHUNKS)]
        return lambda: deque(unread.pop(), maxlen=0) and None

    with _stubbed(fresh) as (ours, plain):
        variants = {"with": reading(ours), "without": reading(plain), "bare": bare_spans(len(events))}
        return best_us(variants, calls=len(events), rounds=ROUNDS, settle=runspan.flush)


DELTA = {
    "id": "msg_1",
    "object": "thread.message.delta",
    "delta": {"content": [{"text": {"value": "word "}}]},
}
CHUNK = f"event: thread.message.delta\ndata: {json.dumps(DELTA)}\n\n".encode()


class _Response:
    """An event stream that the app reads itself (`with_streaming_response`), an event a chunk."""

    is_closed = is_stream_consumed = False

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.stream: Any = [CHUNK] * CHUNKED

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self.stream


def _of_chunks() -> dict[str, float]:
    seen = deque[object](maxlen=100)
    matched = API.match("post", "/threads/thread_1/runs")
    assert matched is not None
    ours, plain = _Response(), _Response()
    tap = ChunkTap(seen.append, StreamRef.of(Call(API, matched, SERVER, 0)), print, print)
    tap_bytes(ours, tap)

    def drain(response: _Response) -> None:
        tap._is_closed = False  # it is drained again and again
        deque(response.iter_bytes(), maxlen=0)

    variants = {"with": lambda: drain(ours), "without": lambda: drain(plain), "bare": bare_spans(CHUNKED)}
    times = best_us(variants, calls=CHUNKED, rounds=ROUNDS)
    if len(seen) < 100:
        raise SystemExit("the chunks were not seen")
    return times
