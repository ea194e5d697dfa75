"""Each function of ours fails in turn, at every call: the app goes on as without us, a run has one span at most, and nothing stays.

A function that holds a guard of its own is not replaced, as that would take the guard away: what it calls is.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from tests.support.playing import client_of

import runspan
from runspan.fake import Server, SimulatedClock, serve
from runspan.runtime import lone_thread

OURS = str(Path(runspan.__file__).parent)
APART = tuple(f"{OURS}/{name}" for name in ("fake/", "guard.py", "viewer/", "testing/", "cli/"))

# Their failure is not tried:
LEFT_OUT = {
    # what only passes the app's call on, so it has no way to fail;
    *(
        f"clients.openai.stream_taps.{name}"
        for name in ("Body.__class__", "Body.__iter__", "Body.close", "ReadBody.__iter__")
    ),
    *(
        "clients.openai.stream_taps._Events.__iter__",
        "clients.openai.stream_taps._Events.__next__",
        "clients.reads.Reads.__iter__",
        "clients.taps.Tap.response_closed",
    ),
    *("clients.choke_point.Patch.request", "clients.openai.stream_manager.StreamManagerHook.exit"),
    # what a span is ended with, a context left with, or an entry taken out with;
    *("runtime.emitter.leave", "runtime.otel_context.undo"),
    *("runtime.records.Call.take_span", "runtime.emitter.Emitter._finish"),
    *("runtime.tracker.Tracker._let_go", "runtime.logs.Logs.leave"),
    *("runtime.registry.RunRegistry.forget", "clients.results.Results._hand_over"),
    # sums of lengths, before a record has anywhere to be;
    *("runtime.admission._weight_of_call", "runtime.records.weight"),
    # the worker's own loop: its thread ends, and the next record starts it again (tests/runtime/test_worker.py).
    *(f"runtime.worker.Worker.{name}" for name in ("_work", "_next", "_wait_s")),
}


class Spans(SpanProcessor):
    """How often each span was begun and ended."""

    def __init__(self) -> None:
        self.begun: Counter[int] = Counter()
        self.ended: Counter[int] = Counter()
        self.runs: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        assert span.context is not None
        self.begun[span.context.span_id] += 1

    def on_end(self, span: ReadableSpan) -> None:
        assert span.context is not None
        self.ended[span.context.span_id] += 1
        if (span.attributes or {}).get("runspan.api"):  # the one of a run that has its facts
            self.runs.append(span)


def app(server: Server) -> list[Any]:
    """A polled run, a streamed one, one read in bytes, and one that the server refuses; what the app got."""
    got: list[Any] = []
    with client_of("OpenAI", server) as client:
        threads, asked = client.beta.threads, {"assistant_id": app.assistant_id}  # type: ignore[attr-defined]
        run = threads.create_and_run_poll(**asked, poll_interval_ms=1)
        got += [run.status, len(threads.messages.list(run.thread_id).data)]
        with threads.create_and_run_stream(**asked) as stream:
            got += [event.event for event in stream]
        call = threads.with_streaming_response.create_and_run(**asked, stream=True)
        with call as response:
            got.append(sum(line.startswith("event") for line in response.iter_lines()))
        if hasattr(client, "responses"):
            got += responses(client)
        try:
            threads.create_and_run(assistant_id="asst_none")
        except Exception as error:
            got.append(type(error).__name__)
    return got


def responses(client: Any) -> list[Any]:
    """In the background: one that asks for a tool, polled, and the next one, streamed, that brings its output."""
    asked: dict[str, Any] = {"model": "m", "background": True}
    response = client.responses.create(input="?", **asked)
    while response.status in ("queued", "in_progress"):
        response = client.responses.retrieve(response.id)
    given = [{"type": "function_call_output", "call_id": c.call_id, "output": "22"} for c in response.output]
    with client.responses.create(
        input=given, previous_response_id=response.id, stream=True, **asked
    ) as stream:
        return [response.status, *(event.type for event in stream)]


RUNS = 6 if find_spec("openai.types.responses") else 4
PARTS = 4  # of the rest
OFTEN_TOO_QUICK = {"runtime.worker.Worker._work"}  # begun before anybody looks


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("text", SimulatedClock(poll_step_s=1.0), responses="function") as running:
        with client_of("OpenAI", running) as client:
            app.assistant_id = client.beta.assistants.create(model="m", instructions="x").id  # type: ignore[attr-defined]
        yield running


@pytest.fixture(scope="module")
def functions(server: Server) -> list[FunctionType]:
    with instrumented():
        found = called(lambda: (app(server), runspan.flush(10)))
    assert len(found) > 250
    return found


def called(work: Callable[[], Any]) -> list[FunctionType]:
    """Functions of ours that `work` calls, on any thread, but those with a guard of their own."""
    codes: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            codes.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    ours = {c for c in codes if c.co_filename.startswith(OURS) and not c.co_filename.startswith(APART)}
    gc.unfreeze()  # tests/conftest.py
    found = {
        f.__qualname__ + f.__module__: f
        for f in gc.get_objects()
        if type(f) is FunctionType and f.__code__ in ours and not f.__code__.co_freevars
    }
    gc.freeze()
    return [f for _, f in sorted(found.items()) if not {"guarded", "swallow"} & {*f.__code__.co_names}]


@contextmanager
def failing(function: FunctionType) -> Iterator[None]:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault of ours")

    kept = function.__code__
    function.__code__ = fail.__code__
    try:
        yield
    finally:
        function.__code__ = kept


@contextmanager
def instrumented() -> Iterator[tuple[Any, Spans]]:
    spans = Spans()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(spans)
    handle = runspan.instrument(tracer_provider=provider, fetch="never", settle_s=0.0)
    try:
        yield handle, spans
    finally:
        runspan.uninstrument()
        provider.shutdown()


def left(handle: Any) -> dict[str, int]:
    tracker = handle._tracker
    held = {
        "live": tracker._live,
        "threads": tracker._logs._keys,
        "pinned": tracker._logs._held,
        "entries": tracker.registry,
    }
    return {name: len(kept) for name, kept in held.items() if kept}


def name_of(function: FunctionType) -> str:
    return f"{function.__module__.removeprefix('runspan.')}.{function.__qualname__}"


def wrong(function: FunctionType, play: Callable[[], Any], bare: Any, runs: int = RUNS) -> dict[str, Any]:
    """What is not as it should be while `function` fails, and after that. `play()`: the app, which makes so many `runs`."""
    with instrumented() as (handle, spans):
        with failing(function):
            around = contextvars.copy_context()  # what is left current there reaches no other test
            try:
                got: Any = around.run(play)
            except Exception as error:
                got = error
            current = around.run(trace.get_current_span)
            with contextlib.suppress(RuntimeError):
                handle._worker.flush(0.3)
        handle._worker.flush(30, closing=True)  # False where something was lost before
        faults = {
            "the app got": None if got == bare else got,
            "spans of runs": None if len(spans.runs) <= runs else len(spans.runs),
            "ended twice": [span for span, times in spans.ended.items() if times > 1],
            "left open": spans.begun - spans.ended,
            "entries left": left(handle),
            "left current": current if current.get_span_context().is_valid else None,
        }
    return {what: value for what, value in faults.items() if value}


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:Assigning a code object of non-matching type:DeprecationWarning",  # a generator fails where it is made
)
@pytest.mark.expects_swallowed
@pytest.mark.parametrize(
    "part", ["one of each module", *(pytest.param(n, marks=pytest.mark.wide) for n in range(PARTS))]
)
def test_each_function_of_ours_may_fail(
    part: int | str, server: Server, functions: list[FunctionType], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A thread that fails at once is started 80 times, and each start waits that long for it.
    monkeypatch.setattr(lone_thread, "BEGIN_S", 0.1)
    bare, play = app(server), partial(app, server)
    assert {name_of(f) for f in functions} | OFTEN_TOO_QUICK >= LEFT_OUT
    tried = [f for f in functions if name_of(f) not in LEFT_OUT]
    first = list({f.__module__: f for f in tried}.values())
    tried = first if isinstance(part, str) else [f for f in tried if f not in first][part::PARTS]
    found = {name_of(function): faults for function in tried if (faults := wrong(function, play, bare))}
    assert found == {}
