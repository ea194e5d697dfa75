"""Tools that the app runs: a response asks for them, is over, and the next request brings what they gave."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan

import runspan
from runspan.fake.responses import FunctionCall, Item, Message, Scenario
from tests.apis.responses.apps import ASKED, created, of_responses, polled, responding
from tests.support.playing import BOTH, App, here, spans_of_app_go_to
from tests.support.tracing import Traced, attribute, messages, traced

both = pytest.mark.parametrize("kind", BOTH)

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKING = Scenario(
    (FunctionCall("weather", '{"city":"Bern"}'), FunctionCall("weather", '{"city":"Ulm"}')),
    then=Scenario((Message("22 and 18."),)),
)
ASKS_ONE = ASKING.but(items=ASKING.items[:1])


@runspan.observe(kind="tool")
def weather(city: str) -> str:
    if city == "Atlantis":
        raise LookupError(city)
    return f"{city}: 22 C"


def plain_weather(city: str) -> str:
    return f"{city}: 22 C"


def answers(response: Any, function: Any) -> list[dict[str, Any]]:
    return [
        {"type": "function_call_output", "call_id": c.call_id, "output": function(**json.loads(c.arguments))}
        for c in response.output
        if c.type == "function_call"
    ]


async def answered(app: App, function: Any, **next_options: Any) -> Any:
    """One response asks, the app runs its tools, the next response has the answer."""
    with here("turn"):
        response = await created(app, tools=[WEATHER], stream=app.seen.get("stream", False))
        if app.seen.get("stream"):
            response = (await app.each(response))[-1].response
        response = await polled(app, response)
        after = {
            "previous_response_id": response.id,
            "input": answers(response, function),
            "tools": [WEATHER],
        }
        return await polled(app, await created(app, **after, **next_options))


def below(parent: ReadableSpan, spans: list[ReadableSpan]) -> list[str]:
    return [s.name for s in spans if s.parent is not None and s.parent.span_id == parent.context.span_id]


def named(trace: Traced, name: str) -> ReadableSpan:
    (span,) = [span for span in trace.spans() if span.name == name]
    return span


@both
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_lasts_until_the_next_request_brings_its_output(kind: str, stream: bool) -> None:
    with responding(kind, ASKING) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.seen["stream"] = stream
        app.play(lambda app: answered(app, plain_weather))
        turn, tools = named(trace, "turn"), trace.tools()
        asked, answer = of_responses(trace)
    assert [tool.name for tool in tools] == ["execute_tool weather"] * 2
    assert [attribute(t, "gen_ai.tool.call.arguments") for t in tools] == [
        '{"city":"Bern"}',
        '{"city":"Ulm"}',
    ]
    assert [attribute(t, "gen_ai.tool.call.result") for t in tools] == ["Bern: 22 C", "Ulm: 22 C"]
    assert {attribute(t, "gen_ai.tool.description") for t in tools} == {"Tells the weather."}
    assert {attribute(t, "gen_ai.conversation.id") for t in tools} == {
        attribute(asked, "gen_ai.conversation.id")
    }
    assert below(turn, trace.spans()).count("execute_tool weather") == 2
    assert below(asked, trace.spans()) == []
    for tool in tools:
        # A stream shows the call before the response is over.
        seen_from = asked.start_time if stream else asked.end_time
        assert seen_from <= tool.start_time <= tool.end_time <= answer.start_time  # type: ignore[operator]
    calls = [part for m in messages(asked, "output") for part in m["parts"]]
    assert [call["arguments"] for call in calls] == [{"city": "Bern"}, {"city": "Ulm"}]
    results = [part for m in messages(answer, "input") for part in m["parts"]]
    assert [(r["type"], r["response"]) for r in results] == [
        ("tool_call_response", "Bern: 22 C"),
        ("tool_call_response", "Ulm: 22 C"),
    ]


@both
@pytest.mark.parametrize("stream", [False, True])
def test_the_app_s_own_function_is_the_span_of_its_call(kind: str, stream: bool) -> None:
    with responding(kind, ASKING) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.seen["stream"] = stream
        app.play(lambda app: answered(app, weather))
        turn, tools = named(trace, "turn"), trace.tools()
        (asked, _) = of_responses(trace)
    calls = [part["id"] for m in messages(asked, "output") for part in m["parts"]]
    assert [attribute(tool, "gen_ai.tool.call.id") for tool in tools] == calls
    assert {attribute(t, "gen_ai.conversation.id") for t in tools} == {
        attribute(asked, "gen_ai.conversation.id")
    }
    assert [tool.parent.span_id for tool in tools if tool.parent] == [turn.context.span_id] * 2


@both
def test_a_plain_response_may_bring_the_outputs(kind: str) -> None:
    with responding(kind, ASKS_ONE) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(lambda app: answered(app, plain_weather, background=False))
        assert sorted(s.name for s in trace.spans()) == ["chat gpt-4o", "execute_tool weather", "turn"]


@both
def test_outputs_that_are_sent_twice_are_one_span(kind: str) -> None:
    async def twice(app: App) -> None:
        response = await polled(app, await created(app))
        given = [
            {"type": "function_call", "call_id": c.call_id, "name": c.name, "arguments": c.arguments}
            for c in response.output
        ]
        given += answers(response, plain_weather)
        for _ in range(2):
            await polled(app, await created(app, input=[{"role": "user", "content": "?"}, *given]))

    with responding(kind, ASKS_ONE) as app, traced() as trace:
        app.play(twice)
        assert len(trace.tools()) == 1
        *_, last = of_responses(trace)
    assert [m["role"] for m in messages(last, "input")] == ["user", "assistant", "tool"]


def test_a_call_that_is_never_answered_has_no_span() -> None:
    async def unanswered(app: App) -> None:
        await polled(app, await created(app))

    with responding("OpenAI", ASKS_ONE) as app, traced() as trace:
        app.play(unanswered)
        assert [span.name for span in trace.spans()] == ["chat gpt-4o"]


def test_each_user_s_tool_call_stays_with_its_own_response() -> None:
    """A sees its response ask and goes away; B calls the function itself."""

    async def two(app: App) -> None:
        with here("user A"):
            await polled(app, await created(app))
        with here("user B"):
            weather("Bern")

    with responding("OpenAI", ASKS_ONE) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(two)
        (tool,) = trace.tools()
        assert tool.context.trace_id == named(trace, "user B").context.trace_id
        assert attribute(tool, "gen_ai.tool.call.id") is None


def test_a_function_after_its_answer_takes_no_call() -> None:
    async def late(app: App) -> None:
        with here("turn"):
            response = await polled(app, await created(app))
            given = answers(response, plain_weather)
            await polled(app, await created(app, previous_response_id=response.id, input=given))
            weather("Bern")

    with responding("OpenAI", ASKS_ONE) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(late)
        assert sorted(attribute(t, "gen_ai.tool.call.id") is None for t in trace.tools()) == [False, True]


def test_custom_tools_shells_and_patches_are_the_app_s_too() -> None:
    items = (
        Item("custom_tool_call", {"name": "run_sql", "input": "select 1"}),
        Item("local_shell_call", {"action": {"type": "exec", "command": ["ls"], "env": {}}}),
        Item("apply_patch_call", {"operation": {"type": "create_file", "path": "N", "diff": "+a"}}),
    )

    async def answers_all(app: App) -> None:
        response = await polled(app, await created(app))
        given = [
            {"type": f"{c.type}_output", "call_id": c.call_id, "output": "done"} for c in response.output
        ]
        await polled(app, await created(app, previous_response_id=response.id, input=given))

    with responding("OpenAI", Scenario(items, then=Scenario((Message("ok"),)))) as app, traced() as trace:
        app.play(answers_all)
        tools = trace.tools()
    assert [(t.name, attribute(t, "gen_ai.tool.type")) for t in tools] == [
        ("execute_tool run_sql", "function"),
        ("execute_tool local_shell", "function"),
        ("execute_tool apply_patch", "function"),
    ]
    assert attribute(tools[0], "gen_ai.tool.call.arguments") == "select 1"
    assert json.loads(attribute(tools[1], "gen_ai.tool.call.arguments"))["action"]["command"] == ["ls"]
    assert ASKED["background"]


@pytest.mark.parametrize("function", [plain_weather, weather])
def test_a_call_is_measured_whoever_its_span_is(function: Any) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    with responding("OpenAI", ASKING) as app, traced(meter_provider=meters) as trace:
        app.play(lambda app: answered(app, function))
        trace.spans()
    data = reader.get_metrics_data()
    assert data is not None
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    points = {m.name: list(m.data.data_points) for m in metrics}
    (of_tools,) = points["gen_ai.execute_tool.duration"]
    assert of_tools.count == 2  # type: ignore[union-attr]
    assert dict(of_tools.attributes or {})["gen_ai.tool.name"] == "weather"
    (of_runs,) = points["runspan.runs"]
    assert of_runs.value == 2  # type: ignore[union-attr]
    (durations,) = points["gen_ai.client.operation.duration"]
    assert dict(durations.attributes or {})["gen_ai.operation.name"] == "chat"


def test_the_cancel_of_one_in_a_conversation_names_it() -> None:
    async def cancelled(app: App) -> None:
        with here("turn"):
            conversation = await app.got(app.client.conversations.create())
            app.seen["id"] = conversation.id
            response = await created(app, conversation=conversation.id)
            await app.got(app.client.responses.cancel(response.id))

    pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")
    with responding("OpenAI", "slow") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(cancelled)
        call = named(trace, "cancel_response")
    assert attribute(call, "gen_ai.conversation.id") == app.seen["id"]
    assert attribute(call, "runspan.run.id")


@both
def test_a_tool_may_run_as_soon_as_its_call_is_whole(kind: str) -> None:
    """Both calls at once, the second before the first, while the stream goes on."""

    async def eager(app: App) -> None:
        with here("turn"):
            stream, calls = await created(app, stream=True), list[Any]()
            for event in await first_events(app, stream, 2, calls):
                assert event.type != "response.completed"
            given = [
                {
                    "type": "function_call_output",
                    "call_id": c.call_id,
                    "output": weather(**json.loads(c.arguments)),
                }
                for c in reversed(calls)
            ]
            rest = await app.each(stream)
            response = rest[-1].response
            await polled(app, await created(app, previous_response_id=response.id, input=given))

    with responding(kind, ASKING) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(eager)
        tools = trace.tools()
        (asked, _) = of_responses(trace)
    calls = [part["id"] for m in messages(asked, "output") for part in m["parts"]]
    assert sorted(attribute(tool, "gen_ai.tool.call.id") for tool in tools) == sorted(calls)
    assert len(tools) == 2


async def first_events(app: App, stream: Any, count: int, calls: list[Any]) -> list[Any]:
    """Up to so many whole calls."""
    seen: list[Any] = []
    while len(calls) < count:
        seen.append(await app.next_of(stream))
        if seen[-1].type == "response.output_item.done":
            calls.append(seen[-1].item)
    return seen


def test_what_is_kept_of_runs_that_asked_for_tools_is_let_go() -> None:
    """Read again and again once it is over, a response is in no table of live ones."""

    async def again(app: App) -> None:
        response = await polled(app, await created(app))
        app.client.responses.retrieve(response.id)
        assert runspan.flush(10)
        for _ in range(3):
            app.client.responses.retrieve(response.id)

    with responding("OpenAI", ASKING) as app, traced() as trace:
        app.play(again)
        assert len(trace.spans()) == 1
        assert len(trace.handle._tracker.registry) == 0
