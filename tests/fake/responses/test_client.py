"""The real client, sync and async, through a background response's life."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from runspan.fake import Server, SimulatedClock
from runspan.fake.responses import SCENARIOS, FunctionCall, Message, Scenario
from tests.fake.responses.wire import LOOKUP, QUESTION
from tests.fake.test_client import each, opened, ready

pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")

ASK: dict[str, Any] = {"model": "gpt-4o", "input": QUESTION, "tools": [LOOKUP]}
T0 = 1_700_000_000


async def over(client: Any, response: Any) -> Any:
    while response.status in ("queued", "in_progress"):
        response = await ready(client.responses.retrieve(response.id))
    return response


async def polls(client: Any, server: Server) -> None:
    response = await ready(client.responses.create(**ASK, background=True))
    assert (response.status, response.output, response.usage) == ("queued", [], None)
    response = await over(client, response)
    assert (response.status, response.model) == ("completed", "gpt-4o-2024-08-06")
    assert response.output_text == f"you said: {QUESTION}"
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0


async def waits(client: Any, server: Server) -> None:
    response = await ready(client.responses.create(**ASK))
    assert (response.status, response.background) == ("completed", False)
    again = await ready(client.responses.retrieve(response.id))
    assert again.output_text == response.output_text == f"you said: {QUESTION}"


async def streams(client: Any, server: Server) -> None:
    events = [
        one async for one in each(await ready(client.responses.create(**ASK, background=True, stream=True)))
    ]
    assert [one.type for one in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert events[-1].response.output_text == f"you said: {QUESTION}"


async def resumes(client: Any, server: Server) -> None:
    server.responses.scenario = "stream_cut_twice"
    seen: list[Any] = []

    async def read(stream: Any) -> None:
        async for event in each(stream):
            seen.append(event)  # noqa: PERF401  (what came before the cut stays)

    stream = await ready(client.responses.create(**ASK, background=True, stream=True))
    for _ in range(2):
        with pytest.raises(Exception, match=r"peer closed|Connection"):
            await read(stream)
        id_, after = seen[0].response.id, seen[-1].sequence_number
        stream = await ready(client.responses.retrieve(id_, stream=True, starting_after=after))
    await read(stream)
    assert seen[-1].type == "response.completed"
    assert [one.sequence_number for one in seen] == list(range(len(seen)))


async def calls_functions(client: Any, server: Server) -> None:
    """Answered by the id of the response before, in a conversation, and by the whole history."""
    server.responses.scenario = "parallel_functions"
    conversation = (await ready(client.conversations.create())).id
    for bound in ({"previous_response_id": None}, {"conversation": conversation}, {}):
        first = {name: value for name, value in bound.items() if value}
        response = await over(client, await ready(client.responses.create(**ASK, background=True, **first)))
        calls = [one for one in response.output if one.type == "function_call"]
        assert [json.loads(one.arguments)["city"] for one in calls] == ["Heron", "Berlin"]
        outputs = [
            {"type": "function_call_output", "call_id": one.call_id, "output": "cake"} for one in calls
        ]
        if "previous_response_id" in bound:
            more = {"previous_response_id": response.id, "input": outputs}
        elif bound:
            more = {**bound, "input": outputs}
        else:
            history = [one.model_dump(exclude_none=True) for one in response.output]
            more = {"input": [{"role": "user", "content": QUESTION}, *history, *outputs]}
        response = await over(
            client, await ready(client.responses.create(**{**ASK, **more}, background=True))
        )
        assert response.output_text == "here is what I found: cake; cake"


async def cancels(client: Any, server: Server) -> None:
    server.responses.scenario = "slow"
    queued = await ready(client.responses.create(**ASK, background=True))
    running = await ready(client.responses.create(**ASK, background=True))
    while running.status == "queued":
        running = await ready(client.responses.retrieve(running.id))
    for response in (queued, running):
        for _ in range(2):
            cancelled = await ready(client.responses.cancel(response.id))
            assert (cancelled.status, cancelled.output, cancelled.usage) == ("cancelled", [], None)
        assert (await ready(client.responses.retrieve(response.id))).status == "cancelled"


async def lists_input_items(client: Any, server: Server) -> None:
    asked = [{"role": "user", "content": letter} for letter in "ABC"]
    response = await ready(client.responses.create(model="gpt-4o", input=asked))
    page = await ready(client.responses.input_items.list(response.id, limit=2))
    assert [one.content[0].text async for one in each(page)] == ["C", "B", "A"]


async def parses(client: Any, server: Server) -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        x: int

    server.responses.scenario = Scenario(items=(Message('{"x": 1}'),))
    response = await ready(client.responses.parse(model="gpt-4o", input="x?", text_format=Answer))
    assert response.output_parsed == Answer(x=1)


async def streams_by_the_helper(client: Any, server: Server) -> None:
    async with opened(client.responses.stream(**ASK, background=True)) as stream:
        response = await ready(stream.get_final_response())
    assert response.output_text == f"you said: {QUESTION}"


async def searches_the_clients_own_files(client: Any, server: Server) -> None:
    file = await ready(client.files.create(file=("birds.txt", b"Heron: waits"), purpose="assistants"))
    store = await ready(client.vector_stores.create(file_ids=[file.id]))
    tools = [{"type": "file_search", "vector_store_ids": [store.id]}]
    wanted = ["file_search_call.results"]
    response = await ready(
        client.responses.create(model="gpt-4o", input="Who is Heron?", tools=tools, include=wanted)
    )
    assert [one.filename for one in response.output[0].results] == ["birds.txt"]
    assert response.output_text == "the files say: Heron: waits"


CASES = [
    streams_by_the_helper,
    searches_the_clients_own_files,
    polls,
    waits,
    streams,
    resumes,
    calls_functions,
    cancels,
    lists_input_items,
    parses,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_client_goes_through(fake: Callable[..., Server], play: Callable[..., None], case: Any) -> None:
    play(case, fake())


def test_azure_clients_reach_it_by_their_paths(fake: Callable[..., Server]) -> None:
    from openai import AzureOpenAI

    server = fake(responses="text")
    with AzureOpenAI(
        azure_endpoint=server.azure_endpoint, api_key="none", api_version="2025-03-01-preview"
    ) as client:
        assert client.responses.create(model="mine", input="Hi").status == "completed"
    assert (server.requests[-1].path, server.requests[-1].query) == (
        "/responses",
        {"api-version": ["2025-03-01-preview"]},
    )


@pytest.mark.parametrize(
    "base",
    ["/v1", "/openai/v1", "/v1/workspaces/w/dataagents/d/aiassistant/openai", "/api/projects/p/openai/v1"],
)
def test_it_is_served_below_any_path(
    fake: Callable[..., Server], client: Callable[[Server], Any], base: str
) -> None:
    server = fake(responses="text")
    deep = client(server).with_options(base_url=f"{server.azure_endpoint}{base}")
    assert deep.responses.retrieve(deep.responses.create(model="m", input="Hi").id).status == "completed"
    assert deep.conversations.create().object == "conversation"
    assert deep.vector_stores.files.list(deep.vector_stores.create().id).data == []
    assert [one.path.split("/")[1] for one in server.requests][:3] == [
        "responses",
        "responses",
        "conversations",
    ]


def test_an_agent_stands_in_for_the_model(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    server = fake(responses="function")
    server.responses.play_for("Calculator", "text")
    foundry = client(server).with_options(base_url=f"{server.azure_endpoint}/api/projects/p/openai/v1")
    agent = {"name": "Calculator", "type": "agent_reference"}
    response = foundry.responses.create(input="Hi", extra_body={"agent_reference": agent})
    body = response.model_dump()
    assert body["agent_reference"]["name"] == "Calculator"
    (item,) = body["output"]
    assert (item["type"], item["response_id"], item["agent_reference"]["version"]) == (
        "message",
        response.id,
        "1",
    )
    assert "previous_response_id" not in response.model_fields_set


def test_what_stands_behind_a_call_is_played_when_its_output_comes(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    last = Scenario(items=(Message("Third."),))
    second = Scenario(items=(FunctionCall("lookup", "{}"),), then=last)
    server = fake(responses=Scenario(items=(FunctionCall("lookup", "{}"),), then=second))
    made, said = client(server).responses, []
    response = made.create(**ASK)
    for _ in range(2):
        output = {"type": "function_call_output", "call_id": response.output[0].call_id, "output": "x"}
        response = made.create(model="gpt-4o", input=[output], previous_response_id=response.id)
        said.append(response.output[0].type)
    assert (said, response.output_text) == (["function_call", "message"], "Third.")


def test_times_are_those_of_the_scenario(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    clock = SimulatedClock(T0, poll_step_s=None)
    server = fake(clock=clock, responses=Scenario(items=(Message(seconds=7.0),), queue_s=3.0))
    responses = client(server).responses
    id_ = responses.create(**ASK, background=True).id
    seen = []
    for seconds in (2.0, 2.0, 5.0, 5.0):
        clock.advance(seconds)
        response = responses.retrieve(id_)
        seen.append((response.status, response.created_at, response.completed_at))
    assert seen == [
        ("queued", T0, None),
        ("in_progress", T0, None),
        ("in_progress", T0, None),
        ("completed", T0, T0 + 10),
    ]


def test_results_show_where_include_asks_for_them(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    server = fake(responses="file_search")
    responses = client(server).responses
    response = responses.create(**ASK)
    assert response.output[0].results is None
    found = responses.retrieve(response.id, include=["file_search_call.results"]).output[0].results
    assert [one.filename for one in found] == ["birds.txt"]


@pytest.mark.parametrize("name", ["usage", "no_usage"])
def test_usage_is_what_the_scenario_says(
    fake: Callable[..., Server], client: Callable[[Server], Any], name: str
) -> None:
    usage = client(fake(responses=name)).responses.create(**ASK).usage
    wanted = SCENARIOS[name].usage
    assert wanted is not None
    assert (usage.input_tokens, usage.output_tokens) == (wanted.input_tokens, wanted.output_tokens)
    assert usage.input_tokens_details.cached_tokens == wanted.cached_tokens
    assert usage.input_tokens_details.cache_write_tokens == wanted.cache_write_tokens
    assert usage.output_tokens_details.reasoning_tokens == wanted.reasoning_tokens
