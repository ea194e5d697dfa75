"""Calls that fail, and runs that are left alone: what of them goes out, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from tests.support.playing import BOTH, App, here, playing, spans_of_app_go_to
from tests.support.told import LOST, WHOLE, all_told, told
from tests.support.tracing import attribute, traced

from runspan.fake import Drop, HttpError

both_clients = pytest.mark.parametrize("kind", BOTH)

# ---------------------------------------------------------------- requests that fail

REFUSED = [
    (HttpError(400, "No.", code="bad_thing"), "bad_thing"),
    (HttpError(401, "No."), "invalid_request_error"),
    (HttpError(404, "No."), "invalid_request_error"),
    (HttpError(429, "No.", type="requests", code="rate_limit_exceeded"), "rate_limit_exceeded"),
    (HttpError(500, "No.", type="server_error"), "server_error"),
    (Drop(), "APIConnectionError"),
]
CREATES = [
    lambda app: app.runs.create(**app.asked),
    lambda app: app.runs.create(**app.asked, stream=True),
    lambda app: app.threads.create_and_run(assistant_id=app.assistant_id),
    lambda app: app.runs.with_raw_response.create(**app.asked),
]


@both_clients
@pytest.mark.parametrize("create", CREATES, ids=["create", "stream", "create_and_run", "raw"])
@pytest.mark.parametrize(("fault", "code"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_post_that_gave_no_run_is_a_run_span_with_its_error_and_no_children(
    fault: Any, code: str, create: Any, kind: str
) -> None:
    async def case(app: App) -> None:
        with here("create"), pytest.raises(openai.APIError):
            await app.got(create(app))

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.server.inject(fault, method="POST", path="/threads*/runs")
        app.play(case)
        run = trace.run()
        assert trace.children(run) == []
        assert trace.spans("chat") == []
        assert (attribute(run, "error.type"), run.status.status_code.name) == (code, "ERROR")
        assert run.name == "invoke_agent"
        assert run.parent is not None
        assert [s.name for s in trace.spans() if s.context == run.parent] == ["create"]


@both_clients
def test_a_refused_connection_and_a_timeout_are_errors_of_the_run_span(kind: str) -> None:
    async def case(app: App) -> None:
        app.server.inject("slow", method="POST", path="/threads/*/runs")
        with pytest.raises(openai.APITimeoutError):
            await app.got(app.runs.create(**app.asked, timeout=0.05))
        nowhere = app.client.with_options(base_url="http://127.0.0.1:9/v1")
        with pytest.raises(openai.APIConnectionError):
            await app.got(nowhere.beta.threads.runs.create(**app.asked))

    with playing(kind) as app, traced() as trace:
        app.play(case)
        assert [attribute(s, "error.type") for s in trace.runs()] == ["APITimeoutError", "APIConnectionError"]


@both_clients
def test_a_failed_poll_changes_nothing(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        run = await app.started()
        for fault in ("server_error", "dropped", "not_found"):
            app.server.inject(fault, method="GET", path="/threads/*/runs/*")
            with pytest.raises(openai.APIError):
                await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))
        await app.polled(run)
        await app.listed()

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == WHOLE


# ---------------------------------------------------------------- cancelled by the app


def test_a_cancelled_create_is_a_run_span_with_its_error_and_the_app_gets_its_cancelled_error() -> None:
    async def case(app: App) -> None:
        app.server.inject("slow", method="POST", path="/threads/*/runs")
        task = asyncio.create_task(app.runs.create(**app.asked))
        await _until_sent(app)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with playing("AsyncOpenAI") as app, traced() as trace:
        app.play(case)
        run = trace.run()
        assert (attribute(run, "error.type"), trace.children(run)) == ("CancelledError", [])


def test_a_cancelled_poll_changes_nothing() -> None:
    async def case(app: App) -> None:
        await app.ask()
        run = await app.started()
        app.server.inject("slow", method="GET", path="/threads/*/runs/*")
        task = asyncio.create_task(app.runs.retrieve(run.id, thread_id=app.thread_id))
        await _until_sent(app, "GET")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await app.polled(run)
        await app.listed()

    with playing("AsyncOpenAI") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == {**WHOLE, "polls": 2}, "the server had moved on by the poll that was cancelled"


def test_a_task_cancelled_in_the_middle_of_its_stream_leaves_an_unfinished_run() -> None:
    async def case(app: App) -> None:
        await app.ask()
        seen = asyncio.Event()

        async def read() -> None:
            with here("create"):
                async with app.runs.stream(**app.asked) as stream:
                    async for event in stream:
                        if event.event == "thread.run.queued":
                            seen.set()

        task = asyncio.create_task(read())
        await seen.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with (
        playing("AsyncOpenAI", poll_step_s=None) as app,
        traced() as trace,
        spans_of_app_go_to(trace.provider),
    ):
        app.play(case)
        trace.handle.uninstrument()
        assert told(trace) == {**LOST, "status": "queued"}, "the app left; nothing is wrong with the run"


async def _until_sent(app: App, method: str = "POST") -> None:
    while not any(r.method == method and "/runs" in r.path for r in app.server.requests):
        await asyncio.sleep(0)


# ---------------------------------------------------------------- runs left alone


@both_clients
def test_a_run_never_looked_at_again_is_left_by_flush_and_goes_out_at_uninstrument(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await app.started()

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert trace.runs() == []
        assert trace.handle.stats().live == 1
        trace.handle.uninstrument()
        assert told(trace) == {**LOST, "status": "queued", "unfinished": "shutdown"}
        stats = trace.handle.stats()
        assert (stats.started, stats.live, stats.emitted, stats.unfinished) == (1, 0, 0, 1)


@both_clients
def test_flush_in_between_loses_and_doubles_nothing(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        run = await app.started()
        while run.status in ("queued", "in_progress"):
            assert trace.runs() == []
            run = await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))
        await app.listed()
        assert len(trace.runs()) == 1
        await app.listed()
        await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == WHOLE


@both_clients
def test_cancelling_is_not_cancelled(kind: str) -> None:
    """The API answers `cancelling`; whether it was cancelled, or completed after all, is told later."""

    async def case(app: App) -> None:
        await app.ask()
        run = await app.started()
        await app.got(app.runs.cancel(run.id, thread_id=app.thread_id))

    with playing(kind, "long_cancelling") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        trace.handle.uninstrument()
        assert told(trace) == {**LOST, "status": "cancelling", "unfinished": "shutdown"}


@both_clients
def test_a_body_that_is_never_read_still_gives_its_run_span(kind: str) -> None:
    """The server took the run; its id stands in bytes that nobody read."""

    async def case(app: App) -> None:
        with here("create"):
            async with app.opened(app.runs.with_streaming_response.create(**app.asked)) as response:
                assert response.status_code == 200

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        run = trace.run()
        assert attribute(run, "runspan.run.unfinished") is not None
        assert len(all_told(trace)) == 1
