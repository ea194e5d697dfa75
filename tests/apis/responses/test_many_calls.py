"""A response may ask for many calls: each is read once, on the app's thread and on the worker's."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

import runspan
from runspan.apis.responses import tool_calls
from runspan.core import blobs
from tests.apis.responses.server import RESPONSE, Scripted, function_call, message, response, stream
from tests.support.tracing import attribute, traced

MANY = 40
ASKED: dict[str, Any] = {"model": "gpt-4o", "input": "?", "background": True, "stream": True}


@runspan.observe(kind="tool")
def weather(city: str) -> str:
    return f"{city}: 22 C"


@pytest.mark.parametrize("form", ["typed", "bytes"])
def test_each_call_of_a_stream_is_read_once_when_it_comes_and_once_at_the_end(
    form: str, client: Any, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[bool] = Counter()
    of_app = tool_calls.of_app

    def counted(item: Any) -> Any:
        read[threading.current_thread() is threading.main_thread()] += 1
        return of_app(item)

    monkeypatch.setattr(tool_calls, "of_app", counted)
    server.creates(stream(*(function_call(f"call_{n}") for n in range(MANY))))
    with traced() as trace:
        if form == "typed":
            assert len(list(client.responses.create(**ASKED))) > MANY
        else:
            with client.responses.with_streaming_response.create(**ASKED) as lines:
                assert len(list(lines.iter_lines())) > MANY
        trace.spans()
    assert MANY <= read[True] <= 2 * MANY
    assert read[False] <= 6 * MANY


def test_all_calls_of_a_stream_wait_for_the_app_while_it_goes_on(client: Any, server: Scripted) -> None:
    """The first after the last, and a message between them."""
    calls = [function_call(f"call_{n}", city=f"City {n}") for n in range(MANY)]
    server.creates(stream(*calls[: MANY // 2], message(), *calls[MANY // 2 :]))
    with traced() as trace:
        seen = 0
        with runspan.span("turn"):
            for event in client.responses.create(**ASKED):
                seen += event.type == "response.output_item.done" and event.item.type == "function_call"
                if seen == MANY:
                    break
            for n in range(MANY):
                weather(f"City {n}")
        found = [(attribute(t, "gen_ai.tool.call.id"), attribute(t, "input.value")) for t in trace.tools()]
    assert [id_ for id_, _ in found] == [f"call_{n}" for n in range(MANY)]
    assert all(f"City {n}" in given for n, (_, given) in enumerate(found))


def test_each_call_s_answer_is_its_own(client: Any, server: Scripted) -> None:
    calls = [function_call(f"call_{n}", city=f"City {n}") for n in range(MANY)]
    server.creates(response("completed", *calls), response("completed", id="resp_2"))
    outputs = [
        {"type": "function_call_output", "call_id": f"call_{n}", "output": f"{n} C"} for n in range(MANY)
    ]
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        client.responses.create(
            model="gpt-4o", input=outputs[::-1], background=True, previous_response_id="resp_1"
        )
        found = {
            attribute(t, "gen_ai.tool.call.id"): attribute(t, "gen_ai.tool.call.result")
            for t in trace.tools()
        }
    assert found == {f"call_{n}": f"{n} C" for n in range(MANY)}


def test_a_picture_beside_a_call_is_read_once_and_never_on_the_app_s_thread(
    client: Any, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[bool] = Counter()
    of_base64 = blobs.of_base64

    def counted(*given: Any) -> Any:
        read[threading.current_thread() is threading.main_thread()] += 1
        return of_base64(*given)

    monkeypatch.setattr(blobs, "of_base64", counted)
    drawn = {"id": "ig", "type": "image_generation_call", "status": "completed", "result": "QUJD" * 100}
    server.creates(response("queued")).polls(response("completed", drawn, function_call()))
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        client.responses.retrieve(RESPONSE)
        assert len(trace.tools()) == 1
    assert read == {False: 1}


def test_a_call_waits_on_behind_one_that_the_server_runs(client: Any, server: Scripted) -> None:
    """The stream goes on, and outside of any span the app holds one of the calls at a time."""
    of_server = {"id": "sh_1", "type": "shell_call", "call_id": "c", "execution": "server", "action": {}}
    server.creates(stream(function_call("call_1"), of_server, function_call("call_2", city="Ulm"), message()))
    with traced() as trace:
        for event in client.responses.create(**ASKED):
            if event.type != "response.output_item.done":
                continue
            if event.item.id == "fc_call_1":
                held = event.item
            elif event.item.id == "sh_1":
                weather("Bern")
                del held
            else:
                weather("Ulm")
                break
        assert [attribute(t, "gen_ai.tool.call.id") for t in trace.tools()] == ["call_1", "call_2"]


def test_a_call_whose_output_is_there_is_the_server_s_own(client: Any, server: Scripted) -> None:
    call = {"id": "sh_1", "type": "shell_call", "call_id": "c", "status": "completed", "action": {}}
    output = {"id": "so_1", "type": "shell_call_output", "call_id": "c", "output": "a"}
    server.creates(response("completed", call, output, message()))
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        (span,) = [s for s in trace.spans() if attribute(s, "runspan.run.id")]
        assert [attribute(t, "gen_ai.tool.call.result") for t in trace.tools()] == ["a"]
    assert attribute(span, "gen_ai.response.finish_reasons") == ("stop",)
