"""What else the nearest peer does, by its source; each test would fail on it."""

from __future__ import annotations

import openai
import pytest
from quickstart import Quickstart, ask_and_poll, read
from tests.support.playing import ANSWER, here
from tests.support.told import told
from tests.support.tracing import attribute, traced
from ways_tools import outputs

from runspan.fake import FunctionCall, Message, Scenario, Tools


def test_the_model_is_the_runs_own_not_the_assistants() -> None:
    with Quickstart() as (app, trace), app.client:
        ask_and_poll(app, model="gpt-4.1")
        assert told(trace)["model"] == "gpt-4.1"
        assert attribute(trace.generation(), "gen_ai.request.model") == "gpt-4.1"


def test_two_live_runs_of_one_thread_do_not_overwrite_each_other() -> None:
    """The second is refused by the API; the first goes on undisturbed."""
    with Quickstart() as (app, trace), app.client:
        runs = app.client.beta.threads.runs
        with here("create"):
            first = runs.create(**app.asked)
            with pytest.raises(openai.BadRequestError):
                runs.create(**app.asked)
        runs.poll(first.id, app.thread_id)
        read(app)
        refused, answered = sorted(trace.runs(), key=lambda s: s.status.is_ok)
        assert attribute(refused, "error.type") == "invalid_request_error"
        assert (attribute(answered, "runspan.run.status"), attribute(answered, "runspan.run.polls")) == (
            "completed",
            3,
        )


def test_nothing_is_kept_of_runs_that_are_over() -> None:
    with Quickstart() as (app, trace), app.client:
        for _ in range(3):
            ask_and_poll(app)
            read(app)
        assert len(trace.runs()) == 3
        stats = trace.handle.stats()
        assert (stats.started, stats.emitted, stats.live, dict(stats.dropped)) == (3, 3, 0, {})


def test_run_steps_and_server_side_tools_are_seen_without_extra_calls_of_the_app() -> None:
    steps = Scenario(phases=(Tools((FunctionCall("f", "{}"), FunctionCall("g", "{}"))), Message(ANSWER)))
    with Quickstart(steps) as (app, trace), app.client:
        with app.client.beta.threads.runs.stream(**app.asked) as stream:
            run = stream.get_final_run()
        with app.client.beta.threads.runs.submit_tool_outputs_stream(**outputs(run)) as stream:
            stream.until_done()
        assert told(trace)["tools"] == [("f", "12 °C"), ("g", "12 °C")]


def test_a_client_without_the_patched_names_is_said_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """There, patches pass silently over a target that has vanished."""
    from openai.lib.streaming import _assistants

    monkeypatch.delattr(_assistants.AssistantStreamManager, "__exit__")
    with traced():
        assert "AssistantStreamManager.__exit__" in caplog.text
