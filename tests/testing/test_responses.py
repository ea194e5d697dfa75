"""The fixtures with background responses, used as users use them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

import runspan
from runspan.fake import Server
from runspan.fake.responses import FunctionCall, Message, Scenario, Usage
from runspan.testing import RunTraces, ToolCall
from runspan.testing import Usage as SeenUsage

pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")

QUESTION = "What is the weather in Oslo?"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
FORECAST = Scenario(
    items=(FunctionCall("get_weather", '{"city": "Oslo"}'),),
    then=Scenario(items=(Message("Take an umbrella."),)),
)


@runspan.observe(kind="tool")
def get_weather(city: str) -> dict[str, Any]:
    return {"city": city, "sky": "rain"}


def over(client: openai.OpenAI, **request: Any) -> Any:
    """A background response, polled to its end."""
    response = client.responses.create(model="gpt-4o", background=True, **request)
    while response.status in ("queued", "in_progress"):
        response = client.responses.retrieve(response.id)
    return response


def ask(question: str = QUESTION) -> str:
    """An app that answers calls of its function."""
    with openai.OpenAI() as client:
        response = over(client, input=question, tools=[WEATHER])
        while calls := [item for item in response.output if item.type == "function_call"]:
            outputs = [
                {
                    "type": "function_call_output",
                    "call_id": call.call_id,
                    "output": json.dumps(get_weather(**json.loads(call.arguments))),
                }
                for call in calls
            ]
            response = over(client, input=outputs, previous_response_id=response.id, tools=[WEATHER])
        return str(response.output_text)


def test_a_response_is_told_whole(responses_server: Server, run_traces: RunTraces) -> None:
    scenario = Scenario(items=(Message("Rain."),), usage=Usage(1000, 300, 768, 0, 256))
    responses_server.responses.play_next(scenario)
    with openai.OpenAI() as client:
        conversation = client.conversations.create().id
        made = over(client, input=QUESTION, conversation=conversation, metadata={"plan": "free"})
    seen = run_traces.only
    assert (seen.name, seen.api, seen.id, seen.thread_id) == (
        "chat gpt-4o",
        "responses",
        made.id,
        conversation,
    )
    assert (seen.status, seen.unfinished, seen.error, seen.finish_reason) == ("completed", None, None, "stop")
    assert (seen.model, seen.answer) == ("gpt-4o-2024-08-06", "Rain.")
    assert seen.usage == SeenUsage(1000, 300, 768, 256)
    assert [(message.role, message.text) for message in seen.input] == [("user", QUESTION)]
    assert (seen.metadata, seen.tools, seen.parent) == ({"plan": "free"}, (), None)
    assert (seen.statuses[0], seen.statuses[-1]) == ("queued", "completed")
    assert seen.polls >= 1


def test_the_apps_function_stands_in_the_response_that_asked_for_it(
    responses_server: Server, run_traces: RunTraces
) -> None:
    responses_server.responses.scenario = FORECAST
    assert ask() == "Take an umbrella."
    first, second = run_traces
    (tool,) = first.tools
    assert isinstance(tool, ToolCall)
    assert (tool.name, tool.arguments, tool.result) == (
        "get_weather",
        {"city": "Oslo"},
        {"city": "Oslo", "sky": "rain"},
    )
    assert second.tools == ()
    assert second.answer == "Take an umbrella."
    assert first.thread_id == second.thread_id == first.id


def test_tools_of_the_server_come_with_what_they_did(responses_server: Server, run_traces: RunTraces) -> None:
    responses_server.responses.scenario = "web_search"
    ask()
    (tool,) = run_traces.only.tools
    assert tool.name == "web_search"
    assert "weather Paris" in str(tool.arguments)


def test_a_failed_and_a_refused_response_are_runs_with_errors(
    responses_server: Server, run_traces: RunTraces
) -> None:
    responses_server.responses.play_next("rate_limited", "http_server_error")
    ask()
    with pytest.raises(openai.InternalServerError), openai.OpenAI(max_retries=0) as client:
        over(client, input=QUESTION)
    failed, refused = run_traces
    assert (failed.status, failed.error, failed.usage) == ("failed", "rate_limit_exceeded", None)
    assert (refused.id, refused.status, refused.api) == (None, None, "responses")
    assert refused.error


def test_plain_responses_are_left_to_others_unless_asked_for(
    responses_server: Server, run_traces: RunTraces
) -> None:
    with openai.OpenAI() as client:
        client.responses.create(model="gpt-4o", input=QUESTION)
    assert len(run_traces) == 0


@pytest.mark.runspan(responses="all")
def test_plain_responses_are_runs_where_all_are_wanted(
    responses_server: Server, run_traces: RunTraces
) -> None:
    with openai.OpenAI() as client:
        made = client.responses.create(model="gpt-4o", input=QUESTION)
    assert (run_traces.only.id, run_traces.only.polls) == (made.id, 0)
