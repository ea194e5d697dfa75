"""Servers that speak the wire each in a way of its own: one run, with its ids, texts, tokens, tools, times, or what it lacks."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import openai
import pytest
from tests.support.dialects import (
    ANSWERED,
    CASES,
    CITIES,
    OUTPUT,
    WAYS,
    Told,
    Way,
    answering,
    app_on,
    told_of,
)
from tests.support.playing import ANSWER, BOTH, MODEL, QUESTION, client_of, drive
from tests.support.tracing import attribute, traced

from runspan.fake import DIALECTS, SimulatedClock, serve

CODE = ("code_interpreter", f'[{{"type":"logs","logs":"{OUTPUT}"}}]')
FUNCTIONS = [("get_weather", f"rain in {city}") for city in CITIES]
WHOLE = Told(
    runs=1,
    is_same_run=True,
    status="completed",
    model=MODEL,
    question=QUESTION,
    answer=ANSWER,
    usage=(300, 30),
    tools=[CODE],
    stamps=(0, 3, 7),
)
OVER_WITH_FUNCTIONS = {"tools": FUNCTIONS, "stamps": (0, 3, 10)}  # it is queued again
# What a server does not tell is named as missing.
LACKS: dict[tuple[str, str], dict[str, Any]] = {
    ("litellm", "created_unread"): {"tools": [], "missing": ("steps",)},
    **{
        ("open-assistant", way): {"usage": None, "missing": ("usage",)}
        for way in ("polled", "polled_unread", "answering")
    },
}


@pytest.mark.parametrize(("dialect", "way"), CASES, ids=lambda one: getattr(one, "name", one))
def test_a_run_is_whole_or_says_what_it_lacks(dialect: str, way: Way) -> None:
    expected = asdict(WHOLE)
    if way.scenario is not ANSWERED:
        expected |= OVER_WITH_FUNCTIONS
    expected |= LACKS.get((dialect, way.name), {})
    told = told_of(dialect, way)
    if (
        dialect == "astra" and way.name == "answering"
    ):  # two calls of one id: the outputs are told apart by their order
        assert sorted(told.tools) == sorted(FUNCTIONS)
    assert asdict(told) == expected


def test_what_runs_lack_is_counted() -> None:
    way = next(way for way in WAYS["open-assistant"] if way.play is answering)
    with app_on("open-assistant", way.scenario) as app, traced(settle_s=60.0) as trace:
        way.play(app)
        trace.runs()
        assert trace.handle.stats().missing == {"usage": 1}


def test_a_run_that_is_created_over_is_read_on_where_its_own_path_is_not_served() -> None:
    """As `create_and_poll` finds LiteLLM: the run is over, and a poll of it answers 404."""
    with app_on("litellm", ANSWERED) as app, traced(settle_s=60.0, fetch="auto") as trace:
        with pytest.raises(openai.NotFoundError):
            app.runs.create_and_poll(**app.asked, poll_interval_ms=1)
        assert attribute(trace.run(), "runspan.run.status") == "completed"
        assert ANSWER in str(attribute(trace.generation(), "gen_ai.output.messages"))


needs_responses = pytest.mark.skipif(not find_spec("openai.types.responses"), reason="this client has none")


@needs_responses
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("is_raw", [False, True], ids=["objects", "raw"])
def test_a_response_that_is_called_otherwise_in_each_answer_is_one_run(kind: str, is_raw: bool) -> None:
    """As behind LiteLLM's proxy: each answer has an id of its own, and each of them works."""
    ids: list[str] = []

    async def got(value: Any) -> Any:
        return await value if hasattr(value, "__await__") else value

    async def retrieved(client: Any, response_id: str) -> Any:
        if is_raw:
            return (await got(client.responses.with_raw_response.retrieve(response_id))).parse()
        return await got(client.responses.retrieve(response_id))

    async def play(client: Any) -> None:
        response = await got(client.responses.create(model=MODEL, input=QUESTION, background=True))
        ids.append(response.id)
        while response.status in ("queued", "in_progress"):
            response = await retrieved(client, response.id)
            ids.append(response.id)
        after = await got(
            client.responses.create(
                model=MODEL, input="And then?", background=True, previous_response_id=response.id
            )
        )
        after = await got(client.responses.cancel(after.id))
        while after.status in ("queued", "in_progress"):
            after = await retrieved(client, after.id)
        await got(client.close())

    with serve(dialect="litellm", clock=SimulatedClock(poll_step_s=0.01)) as server, traced() as trace:
        drive(play(client_of(kind, server)), is_async=kind.startswith("Async"))
        trace.handle.uninstrument()
        first, second = sorted(trace.spans("chat"), key=lambda span: span.start_time or 0)
    assert len(set(ids)) == len(ids) > 2
    assert attribute(first, "runspan.run.status") == "completed"
    assert attribute(first, "runspan.run.polls") == len(ids) - 1
    assert attribute(first, "runspan.run.id") == ids[0]
    assert attribute(first, "gen_ai.usage.output_tokens")
    assert attribute(second, "runspan.run.status") == "cancelled"
    assert attribute(second, "gen_ai.conversation.id") == attribute(first, "gen_ai.conversation.id") == ids[0]


def test_each_dialect_says_in_one_line_what_it_is() -> None:
    assert all(0 < len(dialect.about) < 120 for dialect in DIALECTS.values())


def test_a_dialect_that_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError), serve(dialect="klingon"):
        pass
