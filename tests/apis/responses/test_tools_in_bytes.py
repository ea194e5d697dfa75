"""Apps that read an event stream by themselves, as bytes or lines, and run their tools while it goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runspan.fake.responses import FunctionCall, Message, Scenario
from tests.apis.responses.apps import ASKED, created, of_responses, polled, responding
from tests.apis.responses.test_tools import WEATHER, named, weather
from tests.support.playing import BOTH, App, here, spans_of_app_go_to
from tests.support.tracing import attribute, messages, traced

ASKING = Scenario(
    (FunctionCall("weather", '{"city":"Bern"}'), FunctionCall("weather", '{"city":"Ulm"}')),
    then=Scenario((Message("22 and 18."),)),
)


ASKED_NOW: dict[str, Any] = {**ASKED, "tools": [WEATHER], "stream": True}


async def lines(app: App) -> Any:
    async with app.opened(app.client.responses.with_streaming_response.create(**ASKED_NOW)) as raw:
        async for line in each(app, raw.iter_lines()):
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))


async def parsed(app: App) -> Any:
    raw = await app.got(app.client.responses.with_raw_response.create(**ASKED_NOW))
    async for event in each(app, raw.parse()):
        yield event.model_dump()


async def each(app: App, things: Any) -> Any:
    if app.is_async:
        async for thing in things:
            yield thing
    else:
        for thing in things:
            yield thing


async def answers_in_its_loop(app: App) -> None:
    given: list[Any] = []
    with here("turn"):
        async for event in app.seen["way"](app):
            if event["type"] == "response.output_item.done":
                call = event["item"]
                said = weather(**json.loads(call["arguments"]))
                given.append({"type": "function_call_output", "call_id": call["call_id"], "output": said})
        asked = event["response"]["id"]
        await polled(app, await created(app, previous_response_id=asked, input=given))


@pytest.mark.parametrize("way", [lines, parsed])
@pytest.mark.parametrize("kind", BOTH)
def test_its_functions_are_the_spans_of_their_calls(kind: str, way: Any) -> None:
    with responding(kind, ASKING) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.seen["way"] = way
        app.play(answers_in_its_loop)
        turn, tools = named(trace, "turn"), trace.tools()
        asked = of_responses(trace)[0]
        assert len(trace.handle._tracker.registry) == 0
    calls = [part["id"] for m in messages(asked, "output") for part in m["parts"]]
    assert [attribute(tool, "gen_ai.tool.call.id") for tool in tools] == calls
    assert [tool.parent.span_id for tool in tools if tool.parent] == [turn.context.span_id] * 2
    assert {attribute(t, "gen_ai.conversation.id") for t in tools} == {
        attribute(asked, "gen_ai.conversation.id")
    }
