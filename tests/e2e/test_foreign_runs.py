"""Runs that another process created: history makes no span, a live one is worth one line, `join` takes part in it."""

from __future__ import annotations

import logging
from typing import Any

import openai
import pytest
from tests.support.playing import (
    ANSWER,
    ANSWERED,
    BOTH,
    INSTRUCTIONS,
    QUESTION,
    App,
    here,
    playing,
    spans_of_app_go_to,
)
from tests.support.told import WHOLE, told
from tests.support.tracing import attribute, traced
from ways_tools import ASKING, outputs

from runspan.fake import Message, Scenario

both_clients = pytest.mark.parametrize("kind", BOTH)


def finished(app: App, count: int) -> list[Any]:
    """Runs that another process created and saw through, before anybody traced."""
    with openai.OpenAI(base_url=app.server.base_url, api_key="other") as other:
        runs = other.beta.threads.runs
        other.beta.threads.messages.create(app.thread_id, role="user", content=QUESTION)
        return [list(runs.create(**app.asked, stream=True))[-1].data for _ in range(count)]


def alive(app: App) -> Any:
    """A run that is queued, whose creator never looks again."""
    with openai.OpenAI(base_url=app.server.base_url, api_key="other") as other:
        return other.beta.threads.runs.create(**app.asked)


@both_clients
def test_a_hundred_finished_runs_of_others_make_no_span_when_they_are_listed_and_read(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def case(app: App) -> None:
        with here("read"):
            page = await app.got(app.runs.list(app.thread_id, limit=100))
            assert len(page.data) == 100
            for run in page.data[:5]:
                await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))
                await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id))
            await app.listed(limit=100)

    caplog.set_level(logging.INFO, "runspan")
    with playing(kind, Scenario(phases=(Message("Hi."),))) as app:
        finished(app, 100)
        with traced() as trace, spans_of_app_go_to(trace.provider):
            caplog.clear()
            app.play(case)
            assert [s.name for s in trace.spans()] == ["read"]
            stats = trace.handle.stats()
            assert (stats.started, stats.live, caplog.messages) == (0, 0, [])


@both_clients
def test_a_live_run_of_another_process_is_worth_one_line_that_names_it(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runspan")
    with playing(kind) as app:
        run = alive(app)

        async def case(app: App) -> None:
            for _ in range(2):
                await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))

        with traced() as trace:
            caplog.clear()
            app.play(case)
            assert trace.spans() == []
            (line,) = caplog.messages
            assert (run.id in line, "join" in line) == (True, True)


# ---------------------------------------------------------------- join="alive"


async def _retrieve(app: App, run: Any) -> None:
    await app.polled(await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id)), span="later")


async def _poll(app: App, run: Any) -> None:
    await app.got(app.runs.poll(run.id, app.thread_id))


async def _raw_retrieve(app: App, run: Any) -> None:
    response = await app.got(app.runs.with_raw_response.retrieve(run.id, thread_id=app.thread_id))
    await app.polled(response.parse())


@both_clients
@pytest.mark.parametrize("meet", [_retrieve, _poll, _raw_retrieve])
def test_join_alive_makes_one_marked_span_of_a_run_met_alive(meet: Any, kind: str) -> None:
    with playing(kind) as app:
        run = alive(app)

        async def case(app: App) -> None:
            with here("create"):
                await meet(app, run)
            await app.listed()

        with traced(join="alive") as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            assert told(trace) == {**WHOLE, "input": []}
            assert attribute(trace.run(), "runspan.run.origin") == "joined"


@both_clients
def test_join_alive_by_cancel(kind: str) -> None:
    with playing(kind) as app:
        run = alive(app)

        async def case(app: App) -> None:
            await app.polled(await app.got(app.runs.cancel(run.id, thread_id=app.thread_id)))

        with traced(join="alive") as trace:
            app.play(case)
            found = told(trace)
            assert (found["status"], found["polls"]) == ("cancelled", 1)


@both_clients
@pytest.mark.parametrize("is_streamed", [False, True])
def test_join_alive_by_submit_tool_outputs(is_streamed: bool, kind: str) -> None:
    """A worker gets the run by its queue, runs the function, and is the only one traced."""
    with playing(kind, ASKING) as app, openai.OpenAI(base_url=app.server.base_url, api_key="other") as other:
        run = other.beta.threads.runs.create_and_poll(**app.asked)
        assert run.status == "requires_action"

        async def case(app: App) -> None:
            with here("create"):
                if is_streamed:
                    async with app.opened(app.runs.submit_tool_outputs_stream(**outputs(run))) as stream:
                        await app.got(stream.until_done())
                else:
                    await app.got(app.runs.submit_tool_outputs_and_poll(**outputs(run)))
            await app.listed()

        with traced(join="alive") as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            found = told(trace)
            assert (found["status"], found["usage"], found["output"], found["instructions"]) == (
                "completed",
                WHOLE["usage"],
                [ANSWER],
                [INSTRUCTIONS],
            )
            assert attribute(trace.run(), "runspan.run.origin") == "joined"


@both_clients
def test_join_alive_leaves_finished_runs_and_lists_of_runs_alone(kind: str) -> None:
    with playing(kind, Scenario(phases=(Message("Hi."),))) as app:
        (over,) = finished(app, 1)
        alive(app)

        async def case(app: App) -> None:
            await app.got(app.runs.retrieve(over.id, thread_id=app.thread_id))
            await app.got(app.runs.list(app.thread_id))

        with traced(join="alive") as trace:
            app.play(case)
            assert trace.spans() == []
            assert trace.handle.stats().live == 0


@both_clients
def test_join_alive_does_not_double_the_runs_of_this_process(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        run = await app.polled(await app.started())
        await app.listed()
        await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))

    with playing(kind, ANSWERED) as app, traced(join="alive") as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == {**WHOLE, "polls": 4}
        assert attribute(trace.run(), "runspan.run.origin") is None
