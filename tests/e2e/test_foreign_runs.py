"""Runs that another process created: history makes no span, a live one is worth one line."""

from __future__ import annotations

import logging
from typing import Any

import openai
import pytest
from tests.support.playing import (
    BOTH,
    QUESTION,
    App,
    here,
    playing,
    spans_of_app_go_to,
)
from tests.support.tracing import traced

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
            assert (run.id in line, "adopt" in line) == (True, True)
