"""The background GETs: what they add to a trace, and that the app and its server see nothing else of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import openai
import pytest
from tests.support.playing import (
    ALL_FOUR,
    ANSWERED,
    BOTH,
    INSTRUCTIONS,
    MODEL,
    QUESTION,
    App,
    here,
    playing,
    spans_of_app_go_to,
)
from tests.support.told import LOST, WHOLE, told
from tests.support.tracing import attribute, traced

import runspan
from runspan.fake import HttpError, Message, Scenario, SimulatedClock, serve

both_clients = pytest.mark.parametrize("kind", BOTH)

AT_ONCE: Mapping[str, Any] = {"fetch": "auto", "settle_s": 0.0}
RUN, MESSAGES = "GET /threads/THREAD/runs/RUN", "GET /threads/THREAD/messages"


def fetched(app: App) -> list[str]:
    return [re.sub(r"run_\w+", "RUN", one) for one in app.requests_of_runspan()]


async def _left_early(app: App, name: str = "thread.run.in_progress") -> None:
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            while (await app.next_of(stream)).event != name:
                pass


@pytest.mark.parametrize("kind", ALL_FOUR)
def test_the_end_of_a_run_whose_stream_was_closed_is_found_by_a_look_in_the_background(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await _left_early(app)
        app.server.clock.advance(5)  # type: ignore[attr-defined]
        await app.flushed()

    with playing(kind) as app, traced(**AT_ONCE) as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == {**WHOLE, "polls": 0}
        assert fetched(app) == [RUN, MESSAGES]


@both_clients
def test_what_the_app_never_reads_is_fetched(kind: str) -> None:
    """The thread's messages are older than this process, and nobody lists the answer."""

    async def case(app: App) -> None:
        await app.polled(await app.started())
        await app.flushed()

    with playing(kind) as app:
        drive_untraced(app)
        with traced(**AT_ONCE) as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            assert told(trace) == WHOLE
            assert fetched(app) == [MESSAGES]


def drive_untraced(app: App) -> None:
    """The question is asked by somebody else."""
    with openai.OpenAI(base_url=app.server.base_url, api_key="other") as other:
        other.beta.threads.messages.create(app.thread_id, role="user", content=QUESTION)


@both_clients
def test_nothing_is_fetched_of_a_run_that_the_app_saw_whole(kind: str) -> None:
    async def case(app: App) -> None:
        thread = {"messages": [{"role": "user", "content": QUESTION}]}
        with here("create"):
            stream = await app.got(
                app.threads.create_and_run(assistant_id=app.assistant_id, thread=thread, stream=True)
            )
        await app.each(stream)
        await app.flushed()

    with playing(kind) as app, traced(**AT_ONCE) as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == {**WHOLE, "polls": 0}
        assert fetched(app) == []


@both_clients
@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_refuses_the_look_leaves_the_app_alone_and_the_run_unfinished(
    status: int, kind: str
) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await _left_early(app)
        app.server.inject(HttpError(status, "No."), method="GET", path="/threads/*/runs/*", times=99)
        await app.flushed()
        await app.listed()

    with playing(kind) as app, traced(**AT_ONCE) as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert trace.runs() == []
        trace.handle.uninstrument()
        found = told(trace)
        assert found == LOST | {"output": found["output"]}


@both_clients
def test_a_server_that_refuses_the_messages_leaves_a_trace_without_them(kind: str) -> None:
    async def case(app: App) -> None:
        app.server.inject(HttpError(404, "No."), method="GET", path="/threads/*/messages", times=99)
        await app.polled(await app.started())
        await app.flushed()

    with playing(kind) as app, traced(**AT_ONCE) as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == {**WHOLE, "input": [], "output": []}


@both_clients
def test_one_flush_looks_once_at_a_run_that_is_still_alive(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await _left_early(app, "thread.run.created")
        await app.flushed()

    long = Scenario(phases=(Message("Late.", seconds=500.0),), queue_s=500.0, lifetime_s=5_000.0)
    with playing(kind, long, poll_step_s=None) as app, traced(fetch="auto", settle_s=60.0) as trace:
        app.play(case)
        assert fetched(app) == [RUN]
        assert trace.handle.stats().live == 1


@both_clients
def test_fetches_make_no_spans_and_no_polls_and_bear_their_header_alone(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await _left_early(app)
        app.server.clock.advance(5)  # type: ignore[attr-defined]
        await app.flushed()

    with playing(kind) as app, traced(**AT_ONCE, calls="all") as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        names = [s.name for s in trace.spans()]
        assert sorted(names) == [f"chat {MODEL}", "create", "create_message", "invoke_agent"]
        ours = [r for r in app.server.requests if "x-runspan" in r.headers]
        assert [(r.headers["openai-beta"], r.headers.get("traceparent")) for r in ours] == [
            ("assistants=v2", None)
        ] * 2


@both_clients
def test_without_content_no_messages_are_fetched(kind: str) -> None:
    async def case(app: App) -> None:
        await app.polled(await app.started())
        await app.flushed()

    with playing(kind) as app, traced(**AT_ONCE, capture_content=False) as trace:
        app.play(case)
        assert attribute(trace.run(), "runspan.run.status") == "completed"
        assert fetched(app) == []


@both_clients
def test_fetch_never_is_never(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await _left_early(app)
        await app.flushed()

    with playing(kind) as app, traced(fetch="never", settle_s=0.0) as trace:
        app.play(case)
        trace.handle.uninstrument()
        assert fetched(app) == []
        assert attribute(trace.run(), "runspan.run.unfinished") == "stream_closed"


# ---------------------------------------------------------------- async clients whose loop is gone


def _async_client(kind: str, server: Any, **options: Any) -> Any:
    """With its default transport. A connection that is kept open could not be closed after the loop."""
    where = (
        {"azure_endpoint": server.azure_endpoint, "api_version": "2024-05-01-preview"}
        if "Azure" in kind
        else {"base_url": server.base_url}
    )
    return getattr(openai, kind)(
        **where, api_key="k", max_retries=0, default_headers={"Connection": "close"}, **options
    )


@pytest.mark.parametrize("kind", [k for k in ALL_FOUR if "Async" in k])
def test_after_its_loop_is_closed_a_sync_twin_fetches_for_an_async_client(kind: str) -> None:
    async def case(client: Any, thread_id: str, assistant_id: str) -> None:
        await client.beta.threads.runs.create_and_poll(
            thread_id=thread_id, assistant_id=assistant_id, poll_interval_ms=1
        )

    with serve(ANSWERED, SimulatedClock()) as server, traced(fetch="auto", settle_s=60.0) as trace:
        with openai.OpenAI(base_url=server.base_url, api_key="k") as setup:
            assistant = setup.beta.assistants.create(model=MODEL, instructions=INSTRUCTIONS)
            thread = setup.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
            setup.beta.threads.messages.create(thread.id, role="user", content="And 7 times 8?")
        client = _async_client(kind, server)
        asyncio.run(case(client, thread.id, assistant.id))
        assert runspan.flush(10)
        assert told(trace) == {**WHOLE, "parent": None, "input": [QUESTION, "And 7 times 8?"]}
        assert trace.handle.stats().fetches == {"done": 1}
