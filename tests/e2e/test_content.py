"""What leaves the process of the app's texts: nothing when they are switched off, valid JSON however short the limits are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from tests.support.playing import BOTH, App, here, playing, spans_of_app_go_to
from tests.support.tracing import Traced, attribute, traced
from ways_tools import outputs

from runspan.fake import Ending, FunctionCall, Message, Scenario, Tools

both_clients = pytest.mark.parametrize("kind", BOTH)

# Every place a text can come from, each with its own mark.
MARKS = {
    name: f"CANARY-{name}"
    for name in (
        *("instructions", "additional", "question", "extra_message", "answer", "arguments", "result"),
        *("error", "metadata", "handler", "description", "tool", "tool_description", "refused"),
    )
}
TALKATIVE = Scenario(
    phases=(
        Tools((FunctionCall("look_up", json.dumps({"q": MARKS["arguments"]})),)),
        Message(MARKS["answer"]),
    ),
    ending=Ending("failed", code="server_error", message=MARKS["error"]),
    poll_after_ms=1,
)


async def say_everything(app: App) -> None:
    """Polled, streamed, failed, refused, and with a handler that raises: all with marks."""
    function = {
        "name": "look_up",
        "description": MARKS["tool_description"],
        "parameters": {"$id": MARKS["tool"]},
    }
    assistant = await app.got(
        app.client.beta.assistants.create(
            model="gpt-4o",
            name="Agent",
            description=MARKS["description"],
            instructions=MARKS["instructions"],
            tools=[{"type": "function", "function": function}],
            metadata={"k": MARKS["metadata"]},
        )
    )
    asked: dict[str, Any] = {
        "thread_id": app.thread_id,
        "assistant_id": assistant.id,
        "additional_instructions": MARKS["additional"],
        "additional_messages": [{"role": "user", "content": MARKS["extra_message"]}],
        "metadata": {"k": MARKS["metadata"]},
    }
    with here("app"):
        await app.ask(MARKS["question"], metadata={"k": MARKS["metadata"]})
        run = await app.polled(await app.got(app.runs.create(**asked)))
        await app.polled(await app.got(app.runs.submit_tool_outputs(**_marked(run))))
        await app.listed()
        await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id))
        async with app.opened(app.runs.stream(**asked)) as stream:
            run = await app.got(stream.get_final_run())
        handler = app.handler(on_text_delta=_raise)
        with pytest.raises(RuntimeError):
            async with app.opened(
                app.runs.submit_tool_outputs_stream(**_marked(run), event_handler=handler)
            ) as stream:
                await app.got(stream.until_done())
        with pytest.raises(Exception, match="assistant"):
            await app.got(app.runs.create(**{**asked, "thread_id": app.thread_id, "assistant_id": "asst_no"}))
        with pytest.raises(Exception, match=MARKS["refused"]):
            await app.got(
                app.client.post("/threads/x/messages", cast_to=object, body={"role": MARKS["refused"]})
            )


async def _raise(*_: Any) -> None:
    raise RuntimeError(MARKS["handler"])


def _marked(run: Any) -> Any:
    given = outputs(run)
    given["tool_outputs"][0]["output"] = MARKS["result"]
    return given


def everything(trace: Traced) -> str:
    """All that is exported, as one text."""
    return "\n".join(span.to_json(indent=None) for span in trace.spans())


def seen(kind: str, **options: Any) -> set[str]:
    """Which of the marks are exported."""
    from runspan.fake import HttpError

    with playing(kind, TALKATIVE) as app, traced(**options) as trace, spans_of_app_go_to(trace.provider):
        app.server.inject(HttpError(400, MARKS["refused"]), method="POST", path="/threads/x/messages")
        app.play(say_everything)
        trace.handle.uninstrument()
        exported = everything(trace)
        assert len(trace.runs()) == 3
        return {name for name, mark in MARKS.items() if mark in exported}


@both_clients
def test_with_content_on_each_text_is_somewhere_in_the_trace(kind: str) -> None:
    """Which also shows that the marks reach the places that the next test finds empty."""
    assert seen(kind) == set(MARKS)


@both_clients
def test_with_content_off_none_of_them_is_anywhere(kind: str) -> None:
    assert seen(kind, capture_content=False) == set()


@both_clients
@pytest.mark.parametrize("calls", ["all", "none"])
def test_with_content_off_none_of_them_is_anywhere_in_call_spans_either(calls: str, kind: str) -> None:
    assert seen(kind, capture_content=False, calls=calls) == set()


@both_clients
def test_redact_sees_every_text_before_it_goes_out(kind: str) -> None:
    def redact(what: str, text: str) -> str:
        return text.replace("CANARY", "[...]")

    assert seen(kind, redact=redact) == set()


# ---------------------------------------------------------------- limits

JSON_ATTRIBUTES = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "runspan.run.metadata",
)


async def say_much(app: App) -> None:
    for i in range(30):
        await app.ask(f"{i} " + "long \U0001f32e " * 40)
    with here("create"):
        run = await app.got(
            app.runs.create(
                **app.asked, metadata={f"k{i}": "v" * 400 for i in range(16)}, instructions="I" * 3000
            )
        )
    await app.polled(run)
    await app.listed(limit=100)


def _parsed(span: ReadableSpan) -> dict[str, Any]:
    return {k: json.loads(str(v)) for k, v in dict(span.attributes or {}).items() if k in JSON_ATTRIBUTES}


@pytest.mark.parametrize("limit", [64, 200, 1_000, 5_000])
def test_the_sdks_own_limit_never_cuts_our_json(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", str(limit))
    with playing("OpenAI", "several_messages") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(say_much)
        for span in trace.spans():
            assert (
                max((len(v) for v in (span.attributes or {}).values() if isinstance(v, str)), default=0)
                <= limit
            )
            _parsed(span)
        if limit >= 200:
            assert _parsed(trace.generation()).keys() >= {"gen_ai.input.messages", "gen_ai.output.messages"}


def test_the_general_limit_of_the_sdk_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "300")
    with playing("OpenAI", "several_messages") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(say_much)
        assert _parsed(trace.generation())["gen_ai.input.messages"][-1]["role"] == "user"


@pytest.mark.parametrize("option", ["max_text_chars", "max_attribute_chars"])
def test_our_own_limits_keep_json_valid_and_mark_the_cut(option: str) -> None:
    with (
        playing("OpenAI", "several_messages") as app,
        traced(None, **{option: 100}) as trace,
        spans_of_app_go_to(trace.provider),
    ):
        app.play(say_much)
        generation = trace.generation()
        newest = _parsed(generation)["gen_ai.input.messages"][-1]["parts"][0]
        assert newest["content"].endswith("…")
        assert len(newest["content"]) <= 100
        if option == "max_text_chars":
            assert newest["original_length"] == len("29 " + "long \U0001f32e " * 40)
            assert len(_parsed(generation)["gen_ai.input.messages"]) == 30


def test_the_oldest_messages_go_first_and_their_number_is_told() -> None:
    with playing("OpenAI") as app, traced(max_input_messages=10) as trace, spans_of_app_go_to(trace.provider):
        app.play(say_much)
        generation = trace.generation()
        kept = _parsed(generation)["gen_ai.input.messages"]
        assert [m["parts"][0]["content"].split()[0] for m in kept] == [str(i) for i in range(20, 30)]
        assert attribute(generation, "runspan.input.omitted_messages") == 20


def test_a_message_has_a_limit_and_so_has_a_span() -> None:
    async def case(app: App) -> None:
        parts: Any = [{"type": "text", "text": letter * 3_000} for letter in "ab"]
        await app.got(app.threads.messages.create(app.thread_id, role="user", content=parts))
        for _ in range(4):
            await app.ask("c" * 3_000)
        await app.polled(await app.started())
        await app.listed()

    with playing("OpenAI", "text") as app, traced(max_message_chars=4_000, max_span_chars=8_000) as trace:
        app.play(case)
        generation = trace.generation()
        asked = _parsed(generation)["gen_ai.input.messages"]
        first, second = asked[0]["parts"]
        assert ("original_length" in first, second["original_length"]) == (False, 3_000)
        assert asked[0]["original_length"] == 6_000
        assert asked[-1]["parts"][0]["content"].endswith("c…")
        size = sum(len(v) for v in (generation.attributes or {}).values() if isinstance(v, str))
        assert size <= 8_000
        assert attribute(generation, "runspan.original_length.gen_ai.input.messages") > 15_000
