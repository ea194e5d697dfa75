"""What the app does with its own objects changes no span, and what it gets is what the client made."""

from __future__ import annotations

import warnings
from typing import Any

import openai
import pytest
from tests.support.playing import ANSWER, ANSWERED, BOTH, QUESTION, App, here, playing, spans_of_app_go_to
from tests.support.told import WHOLE, told
from tests.support.tracing import attribute, traced

from runspan.fake import Scenario

both_clients = pytest.mark.parametrize("kind", BOTH)


def play(kind: str, case: Any, scenario: Scenario | str = ANSWERED, **options: Any) -> dict[str, Any]:
    with playing(kind, scenario) as app, traced(**options) as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        return told(trace)


# ---------------------------------------------------------------- changed right after the call


async def _reversed(page: Any) -> None:
    page.data.reverse()


async def _cleared(page: Any) -> None:
    page.data.clear()


async def _citations_replaced(page: Any) -> None:
    """The pattern of the API's own guide: in place."""
    for message in page.data:
        for part in message.content:
            part.text.value = part.text.value.replace(ANSWER, "[0]").replace(QUESTION, "[1]")


async def _emptied(page: Any) -> None:
    for message in page.data:
        message.content.clear()
        message.role = message.run_id = message.created_at = None


@both_clients
@pytest.mark.parametrize("change", [_reversed, _cleared, _citations_replaced, _emptied])
def test_a_page_of_messages_changed_in_place_changes_no_span(change: Any, kind: str) -> None:
    async def case(app: App) -> None:
        await app.polled(await app.started())
        await change(await app.got(app.threads.messages.list(app.thread_id)))

    with playing(kind) as app:
        with openai.OpenAI(base_url=app.server.base_url, api_key="other") as other:
            other.beta.threads.messages.create(app.thread_id, role="user", content=QUESTION)
        with traced() as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            assert told(trace) == WHOLE


@both_clients
def test_a_message_changed_inside_on_message_done_changes_no_span(kind: str) -> None:
    async def on_message_done(_: Any, message: Any) -> None:
        message.content[0].text.value = "[replaced]"

    async def case(app: App) -> None:
        await app.ask()
        handler = app.handler(on_message_done=on_message_done)
        with here("create"):
            async with app.opened(app.runs.stream(**app.asked, event_handler=handler)) as stream:
                await app.got(stream.until_done())

    assert play(kind, case) == {**WHOLE, "polls": 0}


@both_clients
def test_a_run_changed_in_place_changes_no_span(kind: str) -> None:
    def spoil(run: Any) -> None:
        run.metadata.clear()
        run.tools.clear()
        run.model = "spoilt"
        run.instructions = "spoilt"
        run.usage = None
        run.created_at = 0

    async def case(app: App) -> None:
        await app.ask()
        tools: Any = [{"type": "code_interpreter"}]
        run = await app.started(metadata={"tenant": "a"}, tools=tools)
        status, run_id = run.status, run.id
        spoil(run)
        while status in ("queued", "in_progress"):
            run = await app.got(app.runs.retrieve(run_id, thread_id=app.thread_id))
            status = run.status
            spoil(run)
            run.status = "spoilt"
        await app.listed()

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == WHOLE
        assert attribute(trace.run(), "runspan.run.metadata") == '{"tenant":"a"}'
        assert "code_interpreter" in attribute(trace.generation(), "gen_ai.tool.definitions")


@both_clients
def test_the_requests_own_dicts_changed_right_after_the_call_change_no_span(kind: str) -> None:
    async def case(app: App) -> None:
        content: Any = [{"type": "text", "text": "Kept."}]
        await app.got(app.threads.messages.create(app.thread_id, role="user", content=content))
        content[0]["text"] = "spoilt"
        more: Any = [{"role": "user", "content": "Also kept."}]
        extra = {"additional_instructions": "Be brief."}
        run = await app.started(additional_messages=more, extra_body=extra)
        more[0]["content"] = "spoilt"
        more.clear()
        extra.clear()
        thread: Any = {"messages": [{"role": "user", "content": "x"}]}
        await app.got(app.threads.create(**thread))
        thread["messages"].clear()
        await app.polled(run)

    found = play(kind, case)
    assert (found["input"], "\n".join(found["instructions"]).splitlines()[-1]) == (
        ["Kept.", "Also kept."],
        "Be brief.",
    )


# ---------------------------------------------------------------- the very same objects


@both_clients
def test_what_the_app_gets_has_the_clients_own_types_and_methods(kind: str) -> None:
    got: dict[str, Any] = {}

    async def case(app: App) -> None:
        got["run"] = await app.got(app.runs.create(**app.asked))
        got["raw"] = await app.got(
            app.runs.with_raw_response.retrieve(got["run"].id, thread_id=app.thread_id)
        )
        got["parsed"] = got["raw"].parse()
        got["page"] = await app.got(app.threads.messages.list(app.thread_id))
        await app.polled(got["parsed"])
        got["stream"] = await app.got(app.runs.create(**app.asked, stream=True))
        got["events"] = await app.each(got["stream"])
        got["dict"] = await app.got(app.client.get(f"/threads/{app.thread_id}", cast_to=object))

    def types() -> dict[str, Any]:
        with playing(kind) as app:
            app.play(case)
        return {
            **{name: type(value) for name, value in got.items()},
            "events": [(type(e), type(e.data), e.event) for e in got["events"]],
            "vars": sorted(vars(got["run"])),
            "headers": sorted(got["raw"].headers.keys()),
        }

    bare = types()
    with traced(calls="all"):
        assert types() == bare
    assert got["raw"].parse() is got["parsed"]


@both_clients
def test_deprecation_warnings_still_blame_the_callers_line(kind: str) -> None:
    def blamed() -> list[tuple[str, str]]:
        async def case(app: App) -> None:
            run = await app.got(app.runs.create(**app.asked))
            await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))
            await app.got(app.runs.create_and_poll(**{**app.asked, "thread_id": app.seen["other"]}))

        with playing(kind) as app, warnings.catch_warnings(record=True) as seen:
            with openai.OpenAI(base_url=app.server.base_url, api_key="k") as setup:
                app.seen["other"] = setup.beta.threads.create().id
            warnings.simplefilter("always")
            seen.clear()
            app.play(case)
        return [
            (w.filename.rsplit("/", 1)[-1], str(w.lineno)) for w in seen if w.category is DeprecationWarning
        ]

    bare = blamed()
    with traced(calls="all"):
        assert blamed() == bare


# ---------------------------------------------------------------- polls and reads make no spans


@both_clients
def test_a_thousand_polls_are_one_run_span_that_counts_them(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        run = await app.started()
        for _ in range(1_000):
            assert run.status in ("queued", "in_progress")
            run = await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))
        assert run.status == "completed"
        await app.listed()

    with (
        playing(kind, ANSWERED.but(queue_s=998.5, lifetime_s=9_999.0)) as app,
        traced() as trace,
        spans_of_app_go_to(trace.provider),
    ):
        app.play(case)
        assert told(trace) == {**WHOLE, "polls": 1000}
        assert sorted(s.name for s in trace.spans()) == ["chat gpt-4o-mini", "create", "invoke_agent"]
