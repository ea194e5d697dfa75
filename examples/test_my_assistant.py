"""How an app that uses assistants is tested, and its traces with it: `pytest examples/test_my_assistant.py`."""

import json

import pytest
from openai import OpenAI

from runspan.fake import FunctionCall, Message, Scenario, Tools

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}


# ---------------------------------------------------------------- the app


def ask(question: str) -> str:
    """Ask an assistant that can look up the weather."""
    with OpenAI() as client:
        assistant = client.beta.assistants.create(
            model="gpt-4o", name="Helper", instructions="Be brief.", tools=[WEATHER]
        )
        thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
        runs = client.beta.threads.runs
        run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        while run.status == "requires_action":
            calls = run.required_action.submit_tool_outputs.tool_calls
            outputs = [
                {"tool_call_id": c.id, "output": get_weather(**json.loads(c.function.arguments))}
                for c in calls
            ]
            run = runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=thread.id, tool_outputs=outputs)
        if run.status != "completed":
            return f"Sorry ({run.status})."
        return client.beta.threads.messages.list(thread.id, limit=1).data[0].content[0].text.value


def get_weather(city: str) -> str:
    return json.dumps({"city": city, "sky": "clear"})


# ---------------------------------------------------------------- its tests


def test_the_weather_is_looked_up(assistants_server, run_traces):
    assistants_server.play_next(
        Scenario(phases=(Tools((FunctionCall("get_weather", '{"city": "Paris"}'),)), Message("A clear sky.")))
    )

    assert ask("How is the weather in Paris?") == "A clear sky."

    run = run_traces.only
    assert run.status == "completed"
    assert run.model == "gpt-4o"
    assert [message.text for message in run.input] == ["How is the weather in Paris?"]
    assert [(tool.name, tool.arguments, tool.result) for tool in run.tools] == [
        ("get_weather", {"city": "Paris"}, {"city": "Paris", "sky": "clear"})
    ]


def test_no_more_tokens_than_we_pay_for(assistants_server, run_traces):
    ask("3x + 11 = 14?")

    assert run_traces.only.usage.input_tokens < 100


def test_a_failed_run_is_said_politely_and_traced(assistants_server, run_traces):
    assistants_server.play_next("rate_limited")

    assert ask("Hello?") == "Sorry (failed)."
    assert run_traces.only.error == "rate_limit_exceeded"


@pytest.mark.runspan(capture_content=False)
def test_without_content_the_trace_has_no_texts(assistants_server, run_traces):
    ask("My name is Anna.")

    assert "Anna" not in repr(run_traces.only.attributes)
