"""A response in the background that is polled by hand, through the real client."""

from __future__ import annotations

from typing import Any

import pytest

import runspan
from runspan.runtime.records import Call
from runspan.runtime.worker import Worker
from tests.apis.responses.server import RESPONSE, Scripted, message, response
from tests.support.tracing import Traced, attribute, messages, texts, traced


def poll(client: Any, created: Any) -> Any:
    while created.status in ("queued", "in_progress"):
        created = client.responses.retrieve(created.id)
    return created


def the_one(trace: Traced) -> Any:
    (span,) = [s for s in trace.spans() if attribute(s, "runspan.run.id")]
    return span


def test_it_is_one_generation_span_below_its_creator(client: Any, server: Scripted) -> None:
    server.creates(response("queued")).polls(response("queued"), response("in_progress"), response())
    with traced() as trace:
        with runspan.span("turn"):
            poll(client, client.responses.create(model="gpt-4o", input="6 times 7?", background=True))
        spans = trace.spans()
        span = the_one(trace)
    assert sorted(s.name for s in spans) == ["chat gpt-4o", "turn"]
    assert span.parent is not None
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": RESPONSE,
        "gen_ai.conversation.id": RESPONSE,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_creation.input_tokens": 8,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "runspan.api": "responses",
        "runspan.run.id": RESPONSE,
        "runspan.run.status": "completed",
        "runspan.run.polls": 3,
        "runspan.request.background": True,
        "openinference.span.kind": "LLM",
    }
    assert {key: attribute(span, key) for key in told} == told
    assert (texts(span, "input"), texts(span, "output")) == (["6 times 7?"], ["It is 42."])
    assert [event.name for event in span.events] == [
        "response.queued",
        "response.in_progress",
        "response.completed",
    ]
    assert attribute(span, "runspan.input.incomplete") is None


def test_a_second_reader_and_late_polls_add_nothing(client: Any, server: Scripted) -> None:
    server.creates(response("queued")).polls(response())
    with traced() as trace:
        poll(client, client.responses.create(model="gpt-4o", input="?", background=True))
        assert len(trace.spans()) == 1
        client.responses.retrieve(RESPONSE)
        with server.client() as other:
            other.responses.retrieve(RESPONSE)
        assert len(trace.spans()) == 1


def test_a_plain_response_is_left_to_others(client: Any, server: Scripted) -> None:
    server.creates(response(background=False))
    with traced() as trace:
        with runspan.span("turn"):
            client.responses.create(model="gpt-4o", input="6 times 7?")
        assert [span.name for span in trace.spans()] == ["turn"]


def test_an_earlier_response_is_marked_and_names_the_conversation(client: Any, server: Scripted) -> None:
    server.creates(response("queued"), response("queued", id="resp_2"), response("queued", id="resp_3"))
    for id_ in ("resp_1", "resp_2", "resp_3"):
        server.polls(response(id=id_), id_=id_)
    asked: dict[str, Any] = {"model": "gpt-4o", "background": True}
    with traced() as trace:
        poll(client, client.responses.create(input="1", **asked))
        poll(client, client.responses.create(input="2", previous_response_id="resp_1", **asked))
        poll(client, client.responses.create(input="3", previous_response_id="resp_2", **asked))
        spans = trace.spans()
    assert [attribute(s, "gen_ai.conversation.id") for s in spans] == ["resp_1"] * 3
    assert [attribute(s, "session.id") for s in spans] == ["resp_1"] * 3
    assert [attribute(s, "runspan.input.incomplete") for s in spans] == [None, True, True]
    assert [texts(s, "input") for s in spans] == [["1"], ["2"], ["3"]]


def test_a_conversation_is_named_by_its_id(client: Any, server: Scripted) -> None:
    of = {"conversation": {"id": "conv_7"}}
    server.creates(response("queued", **of)).polls(response(**of))
    with traced() as trace:
        poll(
            client, client.responses.create(model="gpt-4o", input="?", background=True, conversation="conv_7")
        )
        (span,) = trace.spans()
    assert attribute(span, "gen_ai.conversation.id") == "conv_7"
    assert attribute(span, "runspan.input.incomplete") is True


def test_a_stored_prompt_and_an_agent_are_a_run_with_a_generation(client: Any, server: Scripted) -> None:
    of_agent = {"agent_reference": {"type": "agent_reference", "name": "tutor", "version": "3"}}
    server.creates(response("queued"), response("queued", id="resp_2", **of_agent))
    server.polls(response(prompt={"id": "pmpt_1"})).polls(response(id="resp_2", **of_agent), id_="resp_2")
    with traced() as trace:
        poll(client, client.responses.create(prompt={"id": "pmpt_1"}, input="?", background=True))
        extra = {"agent": {"name": "tutor", "type": "agent_reference"}}
        poll(client, client.responses.create(input="?", background=True, extra_body=extra))
        runs, generations = trace.runs(), trace.spans("chat")
    assert [run.name for run in runs] == ["invoke_agent pmpt_1", "invoke_agent tutor"]
    assert [attribute(run, "gen_ai.agent.id") for run in runs] == ["pmpt_1", "tutor:3"]
    for run, generation in zip(runs, generations, strict=True):
        assert generation.parent is not None
        assert generation.parent.span_id == run.context.span_id
        assert attribute(generation, "gen_ai.usage.input_tokens") == 100
        assert attribute(run, "gen_ai.usage.input_tokens") is None
        assert attribute(run, "runspan.run.status") == "completed"


def test_several_messages_keep_their_order(client: Any, server: Scripted) -> None:
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Think."}]}
    output = (reasoning, message("One."), message("Two.", "msg_2"))
    server.creates(response("queued")).polls(response("completed", *output))
    with traced() as trace:
        poll(client, client.responses.create(model="gpt-4o", input="?", background=True))
        span = the_one(trace)
    parts = [part for m in messages(span, "output") for part in m["parts"]]
    assert [(part["type"], part["content"]) for part in parts] == [
        ("reasoning", "Think."),
        ("text", "One."),
        ("text", "Two."),
    ]


def test_an_http_response_that_the_app_asks_for_tells_the_same(client: Any, server: Scripted) -> None:
    """`cast_to=httpx.Response`, as the client's own guide has it for endpoints that it does not know."""
    server.creates(response("queued")).polls(response("in_progress"), response())
    http_response = type(client.responses.with_raw_response.create(model="gpt-4o").http_response)
    with traced() as trace:
        asked = {"model": "gpt-4o", "input": "?", "background": True}
        answer = client.post("/responses", cast_to=http_response, body=asked)
        while answer.json()["status"] in ("queued", "in_progress"):
            answer = client.get(f"/responses/{RESPONSE}", cast_to=http_response)
        span = the_one(trace)
    assert (texts(span, "input"), texts(span, "output")) == (["?"], ["It is 42."])
    assert attribute(span, "runspan.run.polls") == 2


@pytest.mark.parametrize("background", [True, None])
def test_one_without_a_status_is_over_when_it_has_an_answer(
    client: Any, server: Scripted, background: bool | None
) -> None:
    alive, over = (
        {**response(status, background=background), "status": None} for status in ("queued", "completed")
    )
    server.creates(alive).polls(alive, over)
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        client.responses.retrieve(RESPONSE)
        assert trace.spans() == []
        client.responses.retrieve(RESPONSE)
        span = the_one(trace)
    assert texts(span, "output") == ["It is 42."]
    assert attribute(span, "gen_ai.usage.input_tokens") == 100


def test_a_poll_that_shows_what_the_create_showed_is_only_counted(
    client: Any, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[Any] = []
    original = Worker.put
    monkeypatch.setattr(Worker, "put", lambda self, record: (put.append(record), original(self, record)))
    server.creates(response("queued")).polls(response("queued"), response("queued"), response())
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        client.responses.retrieve(RESPONSE)
        client.responses.retrieve(RESPONSE)
        assert [record.match.route.operation for record in put if isinstance(record, Call)] == ["chat"]
        client.responses.retrieve(RESPONSE)
        span = the_one(trace)
    assert attribute(span, "runspan.run.polls") == 3
