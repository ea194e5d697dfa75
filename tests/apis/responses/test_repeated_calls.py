"""Servers that give an id out again within one response, or give its calls none: each call has its own span."""

from __future__ import annotations

import json
from typing import Any

import pytest

import runspan
from tests.apis.responses.server import Scripted, function_call, message, response, stream
from tests.support.playing import here, spans_of_app_go_to
from tests.support.tracing import Traced, attribute, messages, traced

OURS = {"model": "gpt-4o", "background": True}
CITIES = ("Bern", "Ulm")
FIRST, SECOND = ({**function_call("call_0", city=city), "id": f"fc_{city}"} for city in CITIES)
WAYS = {
    "one id": [FIRST, SECOND],
    "one id, also of the items": [{**FIRST, "id": "fc_1"}, {**SECOND, "id": "fc_1"}],
    "empty": [{**FIRST, "call_id": ""}, {**SECOND, "call_id": ""}],
    "null": [{**FIRST, "call_id": None}, {**SECOND, "call_id": None}],
}
ABSENT = {"absent": [{k: v for k, v in call.items() if k != "call_id"} for call in (FIRST, SECOND)]}
ways = pytest.mark.parametrize("way", WAYS)
all_ways = pytest.mark.parametrize("way", [*WAYS, *ABSENT])


@runspan.observe(kind="tool")
def weather(city: str) -> str:
    return f"of {city}"


def plain_weather(city: str) -> str:
    return f"of {city}"


def asks(server: Scripted, way: str) -> None:
    """The first response asks for both calls, whatever comes then is answered."""
    calls = {**WAYS, **ABSENT}[way]

    def create(body: Any) -> Any:
        if isinstance(body["input"], str):
            asked = response("completed", *calls)
            return stream(*calls) if body.get("stream") else asked
        return response("completed", message(), id="resp_2")

    server.creates(create)


def outputs(calls: Any, function: Any = plain_weather) -> list[dict[str, Any]]:
    return [
        {
            "type": "function_call_output",
            "call_id": getattr(c, "call_id", None),
            "output": function(**json.loads(c.arguments)),
        }
        for c in calls
    ]


def told(trace: Traced) -> list[tuple[str, Any, Any]]:
    """Name, city and result of each call's span, in the order of the cities."""
    return sorted(
        (
            tool.name,
            json.loads(attribute(tool, "gen_ai.tool.call.arguments") or attribute(tool, "input.value"))[
                "city"
            ],
            attribute(tool, "gen_ai.tool.call.result"),
        )
        for tool in trace.tools()
    )


BOTH_TOLD = [("execute_tool weather", city, f"of {city}") for city in CITIES]


@all_ways
def test_each_call_has_its_span_with_its_own_output(server: Scripted, client: Any, way: str) -> None:
    asks(server, way)
    with traced() as trace:
        asked = client.responses.create(input="?", **OURS)
        client.responses.create(input=outputs(asked.output), previous_response_id=asked.id, **OURS)
        assert told(trace) == BOTH_TOLD
        ids = {attribute(tool, "gen_ai.tool.call.id") for tool in trace.tools()}
        first, _ = [span for span in trace.spans() if span.name == "chat gpt-4o"]
    assert ids == {getattr(asked.output[0], "call_id", None) or None}
    calls = [part for m in messages(first, "output") for part in m["parts"]]
    assert [(c["id"], c["arguments"]["city"]) for c in calls] == [
        (getattr(asked.output[0], "call_id", None) or "", c) for c in CITIES
    ]


@all_ways
def test_a_whole_history_names_each_call(server: Scripted, client: Any, way: str) -> None:
    asks(server, way)
    with traced() as trace:
        asked = client.responses.create(input="?", **OURS)
        first, second = outputs(asked.output)
        history = [item.model_dump(exclude_none=True) for item in asked.output]
        given = [{"role": "user", "content": "?"}, *history, first, second]
        client.responses.create(input=given, **OURS)
        assert told(trace) == BOTH_TOLD


def test_a_history_is_of_the_response_that_it_repeats(server: Scripted, client: Any) -> None:
    """Two users' responses give one id to all their calls."""
    others = [{**function_call("call_0", city=city), "id": f"fc_{city}"} for city in ("Rome", "Oslo")]
    server.creates(response("completed", *others), response("completed", FIRST, SECOND, id="resp_2"))
    with traced() as trace:
        client.responses.create(input="?", **OURS)
        asked = client.responses.create(input="?", **OURS)
        history = [item.model_dump(exclude_none=True) for item in asked.output]
        client.responses.create(input=[*history, *outputs(asked.output)], **OURS)
        assert told(trace) == BOTH_TOLD


@ways
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_function_is_the_span_of_one_call_each(
    server: Scripted, client: Any, way: str, is_streamed: bool
) -> None:
    asks(server, way)
    with traced() as trace, spans_of_app_go_to(trace.provider), here("turn"):
        asked = client.responses.create(input="?", stream=is_streamed, **OURS)
        if is_streamed:
            found: list[Any] = []
            for event in asked:
                if event.type == "response.output_item.done":
                    found += outputs([event.item], weather)
            asked = event.response
        else:
            found = outputs(asked.output, weather)
        client.responses.create(input=found, previous_response_id=asked.id, **OURS)
        assert told(trace) == BOTH_TOLD
        assert {attribute(t, "gen_ai.conversation.id") for t in trace.tools()} == {asked.id}
        assert {attribute(t, "gen_ai.tool.call.id") for t in trace.tools()} == {
            asked.output[0].call_id or None
        }


def test_an_output_under_an_id_of_the_app_s_own_is_told_by_its_place(server: Scripted, client: Any) -> None:
    asks(server, "null")
    with traced() as trace:
        asked = client.responses.create(input="?", **OURS)
        found = [{**o, "call_id": c.id} for o, c in zip(outputs(asked.output), asked.output, strict=True)]
        client.responses.create(input=found, previous_response_id=asked.id, **OURS)
        assert told(trace) == BOTH_TOLD


def test_an_output_of_the_server_belongs_to_one_call(server: Scripted, client: Any) -> None:
    """It ran the first one itself, and asks for the second."""
    own = {"type": "function_call_output", "call_id": "call_0", "output": "of the server"}
    server.creates(response("completed", FIRST, own, SECOND))
    with traced() as trace:
        client.responses.create(input="?", **OURS)
        assert [result for _, _, result in told(trace)] == ["of the server"]
        (asked,) = [span for span in trace.spans() if span.name == "chat gpt-4o"]
    told_parts = [
        (part["type"], part.get("arguments")) for m in messages(asked, "output") for part in m["parts"]
    ]
    assert told_parts == [
        ("tool_call", {"city": "Bern"}),
        ("tool_call_response", None),
        ("tool_call", {"city": "Ulm"}),
    ]
