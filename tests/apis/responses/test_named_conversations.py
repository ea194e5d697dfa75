"""A conversation that the server alone names: the request had none, the response has."""

from __future__ import annotations

import json
from typing import Any

import pytest

import runspan
from tests.apis.responses.server import RESPONSE, Scripted, function_call, message, response, stream
from tests.support.playing import here, spans_of_app_go_to
from tests.support.tracing import Traced, attribute, traced

OURS: dict[str, Any] = {"model": "gpt-4o", "input": "?", "background": True}
NAMED = {"conversation": {"id": "conv_1"}}


def create(client: Any, **more: Any) -> Any:
    return client.responses.create(**OURS, **more)


def poll(client: Any) -> None:
    create(client)
    client.responses.retrieve(RESPONSE)


def read_events(client: Any) -> None:
    for _ in create(client, stream=True):
        pass


def read_raw(client: Any) -> None:
    client.responses.with_raw_response.create(**OURS)
    client.responses.with_raw_response.retrieve(RESPONSE)


def read_bytes(client: Any) -> None:
    with client.responses.with_streaming_response.create(**OURS, stream=True) as raw:
        for _ in raw.iter_lines():
            pass


def resume(client: Any) -> None:
    for _ in create(client, stream=True):
        break
    for _ in client.responses.retrieve(RESPONSE, stream=True, starting_after=0):
        pass


def hand_off(client: Any) -> None:
    headers = runspan.handoff(create(client).id)
    with runspan.adopt(RESPONSE, headers):
        client.responses.retrieve(RESPONSE)


def conversations(trace: Traced) -> set[Any]:
    names = ("gen_ai.conversation.id", "session.id")
    return {attribute(span, name) for span in trace.spans() for name in names}


@pytest.mark.parametrize("way", [poll, read_events, read_raw, read_bytes, resume, hand_off])
@pytest.mark.parametrize("late", [False, True], ids=["from the first", "at the end"])
def test_it_is_the_run_s_own(server: Scripted, client: Any, way: Any, late: bool) -> None:
    first = {} if late else NAMED

    def made(body: Any) -> Any:
        return _events(first) if body.get("stream") else response("queued", **first)

    rest = _events(first)[1:] if way is resume else response("completed", message(), **NAMED)
    server.creates(made).polls(rest)
    with traced() as trace:
        way(client)
        assert len(trace.spans()) == 1
        assert conversations(trace) == {"conv_1"}


def _events(first: dict[str, Any]) -> list[dict[str, Any]]:
    events = stream(**first)
    events[-1]["response"] |= NAMED
    return events


def test_what_goes_on_with_it_is_in_it(server: Scripted, client: Any) -> None:
    """By a chain, by the conversation's id, in which the output of a call is found, too."""
    calls = response("completed", function_call(city="Bern"), **NAMED)
    others = [response("completed", message(), id=f"resp_{n}") for n in (2, 3)]
    server.creates(calls, *others)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "22 C"}
    with traced() as trace:
        create(client)
        given = {"model": "gpt-4o", "background": True}
        client.responses.create(input=[output], conversation="conv_1", **given)
        client.responses.create(input="And?", previous_response_id="resp_2", **given)
        assert [attribute(tool, "gen_ai.tool.call.result") for tool in trace.tools()] == ["22 C"]
        assert len(trace.spans()) == 4
        assert conversations(trace) == {"conv_1"}


def test_a_chain_takes_the_name_of_its_beginning(server: Scripted, client: Any) -> None:
    server.creates(response("completed", message(), **NAMED), response("completed", message(), id="resp_2"))
    with traced() as trace:
        create(client)
        create(client, previous_response_id=RESPONSE)
        assert len(trace.spans()) == 2
        assert conversations(trace) == {"conv_1"}


def test_a_chain_takes_a_name_that_came_late(server: Scripted, client: Any) -> None:
    server.creates(response("queued"), response("completed", message(), id="resp_2"))
    server.polls(response("completed", message(), **NAMED))
    with traced() as trace:
        poll(client)
        create(client, previous_response_id=RESPONSE)
        assert len(trace.spans()) == 2
        assert conversations(trace) == {"conv_1"}


@runspan.observe(kind="tool")
def weather(city: str) -> str:
    return f"{city}: 22 C"


def test_a_function_of_the_app_and_a_cancel_are_in_it(server: Scripted, client: Any) -> None:
    server.creates(response("completed", function_call(city="Bern"), **NAMED))
    server.says("POST", f"/responses/{RESPONSE}/cancel", response("completed", function_call(), **NAMED))
    with traced() as trace, spans_of_app_go_to(trace.provider), here("turn"):
        made = create(client)
        weather(**json.loads(made.output[0].arguments))
        client.responses.cancel(RESPONSE)
        (tool,) = trace.tools()
        (call,) = trace.spans("cancel_response")
        assert attribute(tool, "gen_ai.conversation.id") == "conv_1"
        assert attribute(call, "gen_ai.conversation.id") == "conv_1"
