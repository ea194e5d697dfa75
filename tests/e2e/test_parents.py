"""Whose child a run span is: of the span that was current when the app asked for the run, wherever the rest happens."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from tests.support.playing import BOTH, App, here, playing, spans_of_app_go_to
from tests.support.told import WHOLE, all_told, told
from tests.support.tracing import Traced, traced

import runspan

both_clients = pytest.mark.parametrize("kind", BOTH)

REMOTE = SpanContext(0x1234_0000_0000_0000_0000_0000_0000_0001, 0x5678_0000_0000_0001, True, TraceFlags(1))


def no_orphan(found: Traced, *known: SpanContext) -> None:
    """Every exported span's parent is exported too, or is one of those of elsewhere."""
    spans = found.spans()
    ids = {(s.context.trace_id, s.context.span_id) for s in spans} | {(k.trace_id, k.span_id) for k in known}
    assert [s.name for s in spans if s.parent and (s.parent.trace_id, s.parent.span_id) not in ids] == []


@both_clients
def test_created_in_a_polled_in_b_listed_in_c_it_hangs_under_a(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        with here("create"):
            run = await app.got(app.runs.create(**app.asked))
        with here("B"):
            await app.got(app.runs.poll(run.id, app.thread_id))
        with here("C"):
            await app.listed()

    with playing(kind) as app, traced() as found, spans_of_app_go_to(found.provider):
        app.play(case)
        assert told(found) == WHOLE
        no_orphan(found)


# ---------------------------------------------------------------- threads, tasks, pools


def _in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _in_thread_with_the_context(work: Callable[[], None]) -> None:
    copied = contextvars.copy_context()
    _in_thread(lambda: copied.run(work))


def _in_a_pool(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def _in_a_pool_with_the_context(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, work).result()


@pytest.mark.parametrize(
    ("somewhere", "parent"),
    [
        (_in_thread, None),
        (_in_thread_with_the_context, "create"),
        (_in_a_pool, "create"),  # `instrument()` carries it there
        (_in_a_pool_with_the_context, "create"),
    ],
)
def test_in_threads_the_context_that_the_app_brought_along_decides(
    somewhere: Any, parent: str | None
) -> None:
    with playing("OpenAI") as app, traced() as found, spans_of_app_go_to(found.provider), app.client:
        runs = app.client.beta.threads.runs
        app.client.beta.threads.messages.create(app.thread_id, role="user", content="What is 6 times 7?")
        made: list[Any] = []
        with here("create"):
            somewhere(lambda: made.append(runs.create(**app.asked)))
        with here("elsewhere"):
            _in_thread(lambda: made.append(runs.poll(made[0].id, app.thread_id)))
            _in_a_pool(lambda: made.append(app.client.beta.threads.messages.list(app.thread_id)))
        assert told(found) == {**WHOLE, "parent": parent}
        no_orphan(found)


def test_in_tasks_at_once_each_run_hangs_under_its_own_task() -> None:
    async def turn(app: App, i: int) -> None:
        thread = await app.threads.create(messages=[{"role": "user", "content": f"question {i}"}])
        with here(f"task {i}"):
            async with app.opened(app.runs.stream(thread_id=thread.id, assistant_id=app.assistant_id)) as s:
                await s.until_done()

    async def case(app: App) -> None:
        await asyncio.gather(*(asyncio.create_task(turn(app, i)) for i in range(8)))

    with playing("AsyncOpenAI") as app, traced() as found, spans_of_app_go_to(found.provider):
        app.play(case)
        assert {(t["parent"], *t["input"]) for t in all_told(found)} == {
            (f"task {i}", f"question {i}") for i in range(8)
        }


def test_an_async_stream_made_in_a_and_entered_in_b_hangs_under_b_where_its_request_is_sent() -> None:
    async def case(app: App) -> None:
        with here("A"):
            manager = app.runs.stream(**app.asked)
        with here("B"):
            async with manager as stream:
                await stream.until_done()

    with playing("AsyncOpenAI") as app, traced() as found, spans_of_app_go_to(found.provider):
        app.play(case)
        assert told(found)["parent"] == "B"


@pytest.mark.parametrize(("is_sampled", "is_remote"), [(True, False), (False, False), (True, True)])
def test_a_call_in_a_job_that_outlives_its_view_has_a_span_if_the_view_was_sampled(
    is_sampled: bool, is_remote: bool
) -> None:
    with playing("OpenAI") as app, traced() as found, spans_of_app_go_to(found.provider), app.client:
        seen = SpanContext(REMOTE.trace_id, REMOTE.span_id, is_remote, TraceFlags(int(is_sampled)))
        view = NonRecordingSpan(seen)  # answers as one that has ended
        with ThreadPoolExecutor(1) as pool, trace.use_span(view):
            pool.submit(app.client.beta.threads.create).result()
        runspan.flush()
        has_span = is_sampled and not is_remote
        assert [(s.name, s.parent) for s in found.spans()] == [("create_thread", seen)] * has_span


# ---------------------------------------------------------------- unusual parents


@both_clients
def test_a_parent_that_has_ended_is_still_the_parent(kind: str) -> None:
    async def case(app: App) -> None:
        with here("create") as span:
            span.end()
            run = await app.got(app.runs.create(**app.asked))
        await app.polled(run)

    with playing(kind) as app, traced() as found, spans_of_app_go_to(found.provider):
        app.play(case)
        assert told(found)["parent"] == "create"


@both_clients
def test_a_remote_parent_is_the_parent(kind: str) -> None:
    async def case(app: App) -> None:
        with trace.use_span(NonRecordingSpan(REMOTE)):
            run = await app.got(app.runs.create(**app.asked))
        await app.polled(run)

    with playing(kind) as app, traced() as found:
        app.play(case)
        run = found.run()
        assert run.parent is not None
        assert (run.context.trace_id, run.parent.span_id) == (REMOTE.trace_id, REMOTE.span_id)
        no_orphan(found, REMOTE)


@both_clients
def test_under_a_parent_that_is_not_sampled_nothing_is_exported_followed_or_fetched(kind: str) -> None:
    unsampled = SpanContext(REMOTE.trace_id, REMOTE.span_id, True, TraceFlags(0))

    async def case(app: App) -> None:
        with trace.use_span(NonRecordingSpan(unsampled)):
            run = await app.got(app.runs.create(**app.asked))
        await app.polled(run)
        with trace.use_span(NonRecordingSpan(unsampled)):
            stream = await app.got(app.runs.create(**app.asked, stream=True))
            await app.next_of(stream)
            await app.got(stream.close())
        await app.flushed()

    with playing(kind) as app, traced(fetch="auto", settle_s=0.0) as found:
        app.play(case)
        assert found.spans() == []
        stats = found.handle.stats()
        assert (stats.unrecorded, stats.started, stats.live) == (2, 0, 0)
        assert app.requests_of_runspan() == []
