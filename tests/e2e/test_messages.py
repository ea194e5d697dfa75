"""Issue 2, item 4: a run's input is what lay in the thread before it, in order; its output is what it wrote, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from tests.support.playing import (
    ANSWER,
    ANSWERED,
    BOTH,
    INSTRUCTIONS,
    App,
    here,
    playing,
    spans_of_app_go_to,
)
from tests.support.told import WHOLE, all_told, roles, told
from tests.support.tracing import traced

from runspan.fake import Message, Scenario, Usage

both_clients = pytest.mark.parametrize("kind", BOTH)


async def run_through(app: App, **options: Any) -> Any:
    """Create and poll, nothing listed."""
    return await app.polled(await app.started(**options))


def played(kind: str, case: Any, scenario: Scenario | str = ANSWERED, **options: Any) -> dict[str, Any]:
    with playing(kind, scenario) as app, traced(**options) as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        return told(trace)


# ---------------------------------------------------------------- where the input comes from


@both_clients
def test_messages_that_were_created_one_by_one(kind: str) -> None:
    async def case(app: App) -> None:
        for text in ("One.", "Two.", "Three."):
            await app.ask(text)
        await run_through(app)

    assert played(kind, case)["input"] == ["One.", "Two.", "Three."]


@both_clients
@pytest.mark.parametrize("is_listed", [False, True])
def test_messages_that_came_with_the_thread(is_listed: bool, kind: str) -> None:
    """Also two of the same text; listed or not, each stands there once."""
    given = [{"role": r, "content": c} for r, c in [("user", "Hm."), ("assistant", "Yes?"), ("user", "Hm.")]]

    async def case(app: App) -> None:
        app.thread_id = (await app.got(app.threads.create(messages=given))).id
        await app.ask("Then.")
        await run_through(app)
        if is_listed:
            await app.listed()

    assert played(kind, case)["input"] == ["Hm.", "Yes?", "Hm.", "Then."]


@both_clients
@pytest.mark.parametrize("is_listed", [False, True])
def test_messages_that_came_with_create_and_run(is_listed: bool, kind: str) -> None:
    thread: Any = {"messages": [{"role": "user", "content": "One."}, {"role": "user", "content": "Two."}]}

    async def case(app: App) -> None:
        run = await app.got(app.threads.create_and_run(assistant_id=app.assistant_id, thread=thread))
        await app.polled(run)
        if is_listed:
            await app.listed(thread_id=run.thread_id)

    assert played(kind, case)["input"] == ["One.", "Two."]


@both_clients
@pytest.mark.parametrize("is_listed", [False, True])
def test_additional_messages_and_instructions_and_the_runs_own_model(is_listed: bool, kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask("First.")
        await run_through(
            app,
            model="gpt-4.1",
            additional_instructions="Be brief.",
            additional_messages=[
                {"role": "user", "content": "More."},
                {"role": "assistant", "content": "Ok."},
            ],
        )
        if is_listed:
            await app.listed()

    found = played(kind, case)
    assert (found["input"], found["model"]) == (["First.", "More.", "Ok."], "gpt-4.1")
    assert "\n".join(found["instructions"]) == f"{INSTRUCTIONS}\nBe brief."
    assert found["output"] == ([ANSWER] if is_listed else [])


@both_clients
def test_additional_messages_may_come_from_a_generator(kind: str) -> None:
    async def case(app: App) -> None:
        more = ({"role": "user", "content": text} for text in ("One.", "Two."))
        await run_through(app, additional_messages=more)

    assert played(kind, case)["input"] == ["One.", "Two."]


@both_clients
def test_the_runs_own_instructions_replace_the_assistants(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await run_through(app, instructions="Only mine.")

    assert played(kind, case)["instructions"] == ["Only mine."]


@both_clients
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"order": "asc"},
        {"limit": 2},
        {"limit": 2, "order": "asc"},
        {"limit": 1},
        {"limit": 1, "order": "asc"},
    ],
    ids=str,
)
def test_messages_older_than_this_process_when_the_app_pages_through_them(query: Any, kind: str) -> None:
    async def case(app: App) -> None:
        await run_through(app)
        paged = app.threads.messages.list(app.thread_id, **query)
        assert len(await app.each(paged)) == 5

    old = ["One.", "Two.", "Three.", "Four."]
    with playing(kind) as app:
        _say(app, old)
        with traced() as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            assert told(trace) == {**WHOLE, "input": old}


@both_clients
def test_a_partial_page_never_shortens_what_is_known(kind: str) -> None:
    async def case(app: App) -> None:
        await app.listed()
        await app.listed(limit=1)
        await app.listed(limit=1, order="asc")
        run = await run_through(app)
        await app.listed(limit=1)
        await app.listed(run_id=run.id)

    with playing(kind) as app:
        _say(app, ["One.", "Two.", "Three."])
        with traced() as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            assert told(trace) == {**WHOLE, "input": ["One.", "Two.", "Three."]}


@both_clients
def test_plain_gets_with_their_query_in_the_url_keep_the_order(kind: str) -> None:
    async def case(app: App) -> None:
        await run_through(app)
        await app.got(app.client.get(f"/threads/{app.thread_id}/messages?order=asc&limit=50", cast_to=object))

    with playing(kind) as app:
        _say(app, ["One.", "Two.", "Three."])
        with traced() as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            assert told(trace) == {**WHOLE, "input": ["One.", "Two.", "Three."]}


def _say(app: App, texts: list[str]) -> None:
    """By another process."""
    with openai.OpenAI(base_url=app.server.base_url, api_key="other") as other:
        for text in texts:
            other.beta.threads.messages.create(app.thread_id, role="user", content=text)


@both_clients
def test_a_message_that_was_deleted_or_came_later_is_not_in_the_input(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask("Kept.")
        gone = await app.ask("Gone.")
        await app.got(app.threads.messages.delete(gone.id, thread_id=app.thread_id))
        run = await run_through(app)
        await app.ask("Later.")
        await app.listed()
        assert run.status == "completed"

    assert played(kind, case) == {**WHOLE, "input": ["Kept."]}


# ---------------------------------------------------------------- several runs


@both_clients
def test_the_second_runs_input_holds_the_firsts_answer_and_its_output_does_not(kind: str) -> None:
    async def case(app: App) -> None:
        for question, look in [("One?", app.listed), ("Two?", app.listed)]:
            await app.ask(question)
            await run_through(app)
            await look()

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.server.play_next(ANSWERED, ANSWERED.but(phases=(Message("Second.", usage=Usage(1, 2)),)))
        app.play(case)
        assert [(t["input"], t["output"]) for t in all_told(trace)] == [
            (["One?"], [ANSWER]),
            (["One?", ANSWER, "Two?"], ["Second."]),
        ]
        assert [roles(s, "input") for s in trace.spans("chat")] == [["user"], ["user", "assistant", "user"]]


def test_two_threads_at_once_keep_their_messages_apart() -> None:
    async def turn(app: App, name: str) -> None:
        thread = await app.threads.create()
        await app.ask(f"{name}?", thread_id=thread.id)
        with here(name):
            run = await app.runs.create(thread_id=thread.id, assistant_id=app.assistant_id)
        await app.polled(run)
        await app.threads.messages.list(thread.id)

    async def case(app: App) -> None:
        await asyncio.gather(*(turn(app, name) for name in "ABCD"))

    with playing("AsyncOpenAI", Scenario()) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert sorted((t["parent"], t["input"], t["output"]) for t in all_told(trace)) == [
            (name, [f"{name}?"], [f"you said: {name}?"]) for name in "ABCD"
        ]
