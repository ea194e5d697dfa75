"""Servers that number the calls of each response anew: which response an output answers is never told by the call's id alone."""

from __future__ import annotations

import gc
import json
from itertools import count
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span

import runspan
from tests.apis.responses.server import Scripted, function_call, message, response
from tests.support.tracing import Traced, attribute, traced

OURS = {"model": "gpt-4o", "background": True}
MANY, NAME = 300, "chat gpt-4o"


@runspan.observe(kind="tool")
def weather(city: str) -> str:
    return f"{city}: 22 C"


@pytest.fixture(autouse=True)
def numbers_anew(server: Scripted) -> None:
    """Each response to a text asks for `call_0`, with that text as the city."""
    numbers = count()

    def create(body: Any) -> dict[str, Any]:
        id_, asked = f"resp_{next(numbers)}", body["input"]
        if isinstance(asked, list) and not any(item.get("role") == "user" for item in asked[-1:]):
            return response("completed", message(), id=id_)
        city = asked if isinstance(asked, str) else asked[-1]["content"]
        call = function_call("call_0", city=city)
        return response("completed", {**call, "id": f"fc_{id_}"}, id=id_)

    server.creates(create)


def ask(client: Any, city: Any, **more: Any) -> Any:
    return client.responses.create(input=city, **OURS, **more)


def output(text: str) -> dict[str, str]:
    return {"type": "function_call_output", "call_id": "call_0", "output": text}


def told(trace: Traced) -> dict[Any, Any]:
    """Result by the arguments of the call that it stands beside."""
    return {
        json.loads(attribute(tool, "gen_ai.tool.call.arguments"))["city"]: attribute(
            tool, "gen_ai.tool.call.result"
        )
        for tool in trace.tools()
        if attribute(tool, "gen_ai.tool.call.id")
    }


def test_the_response_that_is_gone_on_with_gets_the_output(client: Any) -> None:
    with traced() as trace:
        first, second = ask(client, "Bern"), ask(client, "Ulm")
        ask(client, [output("of Bern")], previous_response_id=first.id)
        ask(client, [output("of Ulm")], previous_response_id=second.id)
        assert told(trace) == {"Bern": "of Bern", "Ulm": "of Ulm"}


@pytest.mark.parametrize("background", [True, False])
def test_the_answer_to_an_unknown_response_is_nobody_s(client: Any, background: bool) -> None:
    with traced() as trace:
        ask(client, "Bern")
        given = {**OURS, "background": background, "previous_response_id": "resp_of_another_user"}
        client.responses.create(input=[output("secret")], **given)
        assert told(trace) == {}


def test_a_conversation_gets_its_own_outputs(client: Any) -> None:
    with traced() as trace:
        ask(client, "Bern", conversation="conv_a")
        ask(client, "Ulm", conversation={"id": "conv_b"})
        ask(client, [output("of Bern")], conversation={"id": "conv_a"})
        assert told(trace) == {"Bern": "of Bern"}


def test_a_whole_history_brings_each_output_once(client: Any) -> None:
    with traced() as trace:
        history: list[Any] = []
        for city in ("Bern", "Ulm"):
            history.append({"role": "user", "content": city})
            asked = ask(client, history)
            history += [*asked.output, output(f"of {city}")]
            ask(client, history)
        assert told(trace) == {"Bern": "of Bern", "Ulm": "of Ulm"}


def test_a_history_without_ids_of_items_is_told_by_its_arguments(client: Any) -> None:
    with traced() as trace:
        ask(client, "Bern")
        ask(client, "Ulm")
        call = {
            "type": "function_call",
            "call_id": "call_0",
            "name": "weather",
            "arguments": '{ "city":"Bern" }',
        }
        ask(client, [call, output("of Bern")])
        assert told(trace) == {"Bern": "of Bern"}


def test_a_doubt_is_no_proof(client: Any) -> None:
    """Two users' responses asked the same; nothing tells whose output this is."""
    call = {"type": "function_call", "call_id": "call_0", "name": "weather", "arguments": '{"city":"Bern"}'}
    with traced() as trace:
        ask(client, "Bern")
        ask(client, "Bern")
        ask(client, [call, output("of one of them")])
        assert told(trace) == {}


def test_functions_take_their_own_user_s_call(client: Any) -> None:
    with traced() as trace:
        asked = {}
        for user, city in (("a", "Bern"), ("b", "Ulm")):
            with runspan.context(user_id=user):
                asked[user] = ask(client, city)
        for user, city in (("a", "Bern"), ("b", "Ulm")):
            with runspan.context(user_id=user):
                ask(client, [output(weather(city))], previous_response_id=asked[user].id)
        assert told(trace) == {"Bern": "Bern: 22 C", "Ulm": "Ulm: 22 C"}
        assert len(trace.tools()) == 2


def test_many_that_wait_for_one_id_stay_in_bounds(client: Any) -> None:
    with traced() as trace:
        asked = [ask(client, f"town {n}") for n in range(MANY)]
        for n in (0, MANY - 1):
            ask(client, [output(f"of {n}")], previous_response_id=asked[n].id)
        assert told(trace) == {f"town {MANY - 1}": f"of {MANY - 1}"}


def test_a_call_that_is_never_answered_keeps_no_span_alive(client: Any) -> None:
    with traced() as trace:
        asked = [ask(client, f"town {n}") for n in range(3)]
        assert len(trace.spans()) == 3
        gc.collect()
        # Others raise when they are asked what they are.
        spans = [o for o in gc.get_objects() if any(base is Span for base in type.mro(type(o)))]
        assert not [span for span in spans if span.name == NAME]
        ask(client, [output("late")], previous_response_id=asked[0].id)
        assert told(trace) == {"town 0": "late"}
