"""`flush`, `aflush`, `shutdown`, `uninstrument`: what they answer, and whom they never hold up."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from tests.support.playing import ANSWER, ANSWERED, INSTRUCTIONS, MODEL, QUESTION
from tests.support.tracing import Traced, texts, traced

import runspan
from runspan.fake import Server, SimulatedClock, serve
from runspan.runtime import fetcher, flushes, waiting


@pytest.fixture(autouse=True)
def no_get_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(fetcher, "TIMEOUT_S", 120.0)


def uvloop_run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        import uvloop
    except ImportError:
        coroutine.close()
        pytest.skip("uvloop is not installed")
    return uvloop.run(coroutine)


on_loops = pytest.mark.parametrize("run", [asyncio.run, uvloop_run])


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        yield server


@pytest.fixture
def trace() -> Iterator[Traced]:
    """GETs are made at a flush alone."""
    with traced(fetch="auto", settle_s=600.0) as trace:
        yield trace


async def a_run(server: Server, close: bool = True) -> Any:
    """Whose messages the app does not read."""
    client = openai.AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0)
    assistant = await client.beta.assistants.create(model=MODEL, instructions=INSTRUCTIONS)
    run = await client.beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": QUESTION}]}
    )
    while run.status in ("queued", "in_progress"):
        run = await client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    if close:
        await client.close()
    return client


class Gate:
    """Holds up the messages that are fetched until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from runspan.clients.openai import background

        self.opened, real = threading.Event(), background._aget

        async def held_up(*args: Any) -> Any:
            while not self.opened.is_set():
                await asyncio.sleep(0.002)
            return await real(*args)

        monkeypatch.setattr(background, "_aget", held_up)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.opened.set()


def output(trace: Traced) -> list[str]:
    return texts(trace.generation(), "output")


# ---------------------------------------------------------------- in a coroutine


@on_loops
def test_aflush_waits_while_the_loop_goes_on(
    run: Callable[..., Any], server: Server, trace: Traced, gate: Gate
) -> None:
    async def case() -> None:
        await a_run(server)
        flushing = asyncio.ensure_future(runspan.aflush(60))
        await asyncio.sleep(0.05)
        assert not flushing.done()
        assert trace.exporter.get_finished_spans() == ()
        gate.opened.set()
        assert await flushing is True
        assert [s.name for s in trace.exporter.get_finished_spans()] == [f"chat {MODEL}", "invoke_agent"]

    run(case())
    assert output(trace) == [ANSWER]


@on_loops
def test_flush_in_a_coroutine_answers_at_once_and_what_is_missing_comes_later(
    run: Callable[..., Any],
    server: Server,
    trace: Traced,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "BLOCKED_S", 60)  # not even that: who waited would see the gate open

    async def case() -> None:
        await a_run(server)
        opening = threading.Timer(0.5, gate.opened.set)
        opening.start()
        for _ in range(3):
            assert runspan.flush(timeout=3_600) is False
        opening.join()
        while not trace.exporter.get_finished_spans():
            await asyncio.sleep(0.01)

    run(case())
    assert output(trace) == [ANSWER]
    assert trace.handle.stats().missing == {}


def test_a_short_timeout_in_a_coroutine_takes_nothing_from_the_trace(
    server: Server, trace: Traced, gate: Gate
) -> None:
    async def case() -> None:
        await a_run(server)
        assert runspan.flush(timeout=0) is False
        await asyncio.sleep(0.05)
        gate.opened.set()

    asyncio.run(case())
    assert output(trace) == [ANSWER]


def test_flush_in_a_coroutine_is_true_where_nothing_has_to_be_waited_for(
    trace: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BLOCKED_S", 60)  # of a busy machine

    async def case() -> bool:
        with runspan.span("step"):
            pass
        return runspan.flush(60)

    assert asyncio.run(case()) is True


def test_an_exporter_that_hangs_does_not_hold_up_a_loop() -> None:
    go_on = threading.Event()

    class Hanging(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None: ...

    class Provider(TracerProvider):
        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return go_on.wait(60)

    provider = Provider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Hanging()))
    with traced(tracer_provider=provider) as trace:

        async def case() -> tuple[bool, bool]:
            with runspan.span("step"):
                pass
            threading.Timer(0.5, go_on.set).start()  # who waited for it would answer True
            return runspan.flush(3_600), await runspan.aflush(0.05)

        assert asyncio.run(case()) == (False, False)
        assert trace.handle.flush(60)


@on_loops
def test_a_cancelled_aflush_leaves_nothing_undone(
    run: Callable[..., Any], server: Server, trace: Traced, gate: Gate
) -> None:
    async def case() -> None:
        await a_run(server)
        flushing = asyncio.ensure_future(runspan.aflush(60))
        await asyncio.sleep(0.02)
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        gate.opened.set()

    run(case())
    assert output(trace) == [ANSWER]


def test_aflush_of_a_loop_that_ends_before_its_answer(server: Server, trace: Traced, gate: Gate) -> None:
    async def case() -> None:
        await a_run(server)
        flushing = asyncio.ensure_future(runspan.aflush(60))
        await asyncio.sleep(0.02)
        assert not flushing.done()

    asyncio.run(case())
    gate.opened.set()
    assert output(trace) == [ANSWER]


def test_many_aflushes_at_once(server: Server, trace: Traced) -> None:
    async def case() -> list[bool]:
        await asyncio.gather(*(a_run(server) for _ in range(4)))
        return await asyncio.gather(*(runspan.aflush(60) for _ in range(20)))

    assert asyncio.run(case()) == [True] * 20
    assert [texts(s, "output") for s in trace.spans("chat")] == [[ANSWER]] * 4


def test_without_a_loop_of_asyncio_aflush_waits_as_flush_does(server: Server, trace: Traced) -> None:
    asyncio.run(a_run(server))
    with pytest.raises(StopIteration) as done:
        runspan.aflush(60).send(None)
    assert done.value.value is True
    assert output(trace) == [ANSWER]


@pytest.mark.parametrize("timeout", [1e10, float("inf")])
def test_a_flush_may_take_its_time(timeout: float, server: Server, trace: Traced) -> None:
    """A lock of Python takes no such number."""
    asyncio.run(a_run(server))
    assert runspan.flush(timeout)
    assert output(trace) == [ANSWER]
    assert runspan.shutdown(timeout)


# ---------------------------------------------------------------- the truth


def test_a_flush_whose_gets_were_cut_short_is_false_and_says_what_is_missing(
    server: Server, trace: Traced, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flushes, "FETCH_SHARE", 0.0001)
    asyncio.run(a_run(server))
    assert runspan.flush(60) is False
    gate.opened.set()
    assert (trace.run().attributes or {})["runspan.run.missing"] == ("messages",)
    assert trace.handle.stats().missing == {"messages": 1}


def test_without_instrument_there_is_nothing_to_do() -> None:
    async def case() -> bool:
        return await runspan.aflush() and runspan.flush() and runspan.shutdown() and runspan.uninstrument()

    assert asyncio.run(case()) is True
    assert (runspan.flush(), runspan.shutdown(), runspan.uninstrument()) == (True, True, True)


# ---------------------------------------------------------------- the end

ENDS = [runspan.uninstrument, runspan.shutdown]
ends = pytest.mark.parametrize("end", ENDS, ids=["uninstrument", "shutdown"])


@ends
def test_an_end_fetches_what_is_missing_and_says_so(
    end: Callable[[], bool], server: Server, trace: Traced
) -> None:
    asyncio.run(a_run(server))
    request = openai._base_client.AsyncAPIClient.request
    assert end() is True
    assert openai._base_client.AsyncAPIClient.request is not request
    assert runspan.current_handle() is None
    assert output(trace) == [ANSWER]


@ends
@on_loops
def test_an_end_in_a_coroutine_answers_at_once_and_the_rest_comes_later(
    run: Callable[..., Any], end: Callable[[], bool], server: Server, trace: Traced, gate: Gate
) -> None:
    async def case() -> None:
        client = await a_run(server, close=False)
        before = openai._base_client.AsyncAPIClient.request
        assert end() is False
        assert openai._base_client.AsyncAPIClient.request is not before, "the patches are off at once"
        assert runspan.current_handle() is None
        assert trace.exporter.get_finished_spans() == ()
        gate.opened.set()
        while not trace.exporter.get_finished_spans():
            await asyncio.sleep(0.01)
        await client.close()

    run(case())
    spans = trace.exporter.get_finished_spans()
    assert [texts(s, "output") for s in spans if s.name.startswith("chat")] == [[ANSWER]]


@ends
def test_after_aflush_an_end_in_a_coroutine_is_true(
    end: Callable[[], bool], server: Server, trace: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BLOCKED_S", 60)  # of a busy machine

    async def case() -> bool:
        await a_run(server)
        return await runspan.aflush(60) and end()

    assert asyncio.run(case()) is True


@pytest.fixture
def threads_of_others() -> set[threading.Thread]:
    """Of workers that other tests made and let wait."""
    return set(threading.enumerate())


@ends
def test_the_worker_and_its_threads_are_gone_after_an_end_in_a_coroutine(
    threads_of_others: set[threading.Thread], end: Callable[[], bool], server: Server, trace: Traced
) -> None:
    async def case() -> None:
        await a_run(server)
        end()

    asyncio.run(case())
    deadline_s = time.monotonic() + 30
    while _ours(threads_of_others) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert _ours(threads_of_others) == []


def _ours(others: set[threading.Thread]) -> list[str]:
    names = ("runspan-worker", "runspan-flush", "runspan-fetch")
    return [t.name for t in threading.enumerate() if t.name.startswith(names) and t not in others]


def test_instrument_may_follow_at_once_on_an_end_in_a_coroutine(
    server: Server, trace: Traced, gate: Gate
) -> None:
    async def case() -> None:
        await a_run(server)
        assert runspan.uninstrument() is False
        runspan.instrument(tracer_provider=trace.provider, fetch="auto", settle_s=600.0)
        gate.opened.set()
        await a_run(server)
        assert await runspan.aflush(60)

    asyncio.run(case())
    deadline_s = time.monotonic() + 30
    while len(trace.exporter.get_finished_spans()) < 4 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    chats = [s for s in trace.exporter.get_finished_spans() if s.name.startswith("chat")]
    assert [texts(s, "output") for s in chats] == [[ANSWER]] * 2


# ---------------------------------------------------------------- from elsewhere


@pytest.mark.parametrize("where", ["loop", "no loop"])
def test_flush_in_a_signal_handler(where: str, server: Server, trace: Traced) -> None:
    answers: list[bool] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: answers.append(runspan.flush(60)))

    async def case() -> None:
        await a_run(server)
        if where == "loop":
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0.01)

    try:
        asyncio.run(case())
        if where != "loop":
            os.kill(os.getpid(), signal.SIGUSR1)
            assert answers == [True]
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(answers) == 1
    assert output(trace) == [ANSWER]


def test_flush_in_another_thread_waits_while_the_loop_goes_on(server: Server, trace: Traced) -> None:
    async def case() -> bool:
        await a_run(server)
        return await asyncio.to_thread(runspan.flush, 60)

    assert asyncio.run(case()) is True
    assert output(trace) == [ANSWER]


def test_flush_in_a_finalizer_that_strikes_in_a_coroutine(server: Server, trace: Traced) -> None:
    answers: list[bool] = []

    class Last:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            answers.append(runspan.flush(60))

    async def case() -> None:
        await a_run(server)
        Last()
        gc.collect()

    asyncio.run(case())
    assert len(answers) == 1
    assert output(trace) == [ANSWER]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_flush_and_end_in_a_child_that_a_coroutine_forked(server: Server, trace: Traced) -> None:
    """No loop runs in the child: there it waits, and tells the truth."""

    async def case() -> int:
        await a_run(server)
        child = os.fork()
        if child == 0:
            ok = False
            try:
                with runspan.span("in the child"):
                    pass
                ok = runspan.flush(60) and runspan.shutdown()
            finally:
                os._exit(0 if ok else 1)
        return os.waitpid(child, 0)[1]

    assert asyncio.run(case()) == 0
    assert output(trace) == [ANSWER]
