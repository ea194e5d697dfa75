"""The demo's conversation: an app with spans of its own talks to the fake server through the official client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry import trace

import runspan
from runspan.fake import CodeInterpreter, Ending, FunctionCall, Logs, Message, Scenario, Tools, serve

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

SOLVED = Scenario(phases=(Message("Subtract 11, divide by 3: x = 1.", seconds=0.1),), queue_s=0.05)
COMPUTED = Scenario(
    phases=(
        Tools((CodeInterpreter("print(17 * 23)", (Logs("391"),)),), seconds=0.15),
        Message("Running the numbers: 17 × 23 = 391.", token_s=0.01),
    )
)
ASKED = Scenario(
    phases=(
        Tools((FunctionCall("get_weather", '{"city": "Paris"}'),), seconds=0.05),
        Message("Sunny and 18 °C. 🌤"),
    )
)
REFUSED = Scenario(
    phases=(Message("Let me", seconds=0.05),),
    ending=Ending("failed", code="rate_limit_exceeded", message="Rate limit is exceeded.", open_step=True),
)


def hold_conversation(say: Callable[[str], None]) -> None:
    """A polled run, a streamed one with code interpreter, a function call, and a run that fails."""
    import openai

    tracer = trace.get_tracer("demo")
    with serve() as server, openai.OpenAI(api_key="none", base_url=server.base_url) as client:
        server.play_next(SOLVED, COMPUTED, ASKED, REFUSED)
        with tracer.start_as_current_span("run_math_tutor"):
            with tracer.start_as_current_span("create_assistant"):
                tutor = client.beta.assistants.create(
                    model="gpt-4o",
                    name="Math Tutor",
                    instructions="You are a personal math tutor. Write and run code to answer math questions.",
                    tools=[{"type": "code_interpreter"}],
                ).id
            thread = client.beta.threads.create().id
            with tracer.start_as_current_span("solve"):
                say(f"  polled run:    {_polled(client, thread, tutor, 'Please solve 3x + 11 = 14.')}")
            with tracer.start_as_current_span("compute"):
                say(f"  streamed run:  {_streamed(client, thread, tutor, 'And what is 17 * 23? Use code.')}")
        with tracer.start_as_current_span("ask_the_weather"):
            say(f"  function call: {_function(client)}")
        with tracer.start_as_current_span("ask_too_much"):
            thread = client.beta.threads.create().id
            say(f"  failing run:   {_polled(client, thread, tutor, 'Prove the Riemann hypothesis.')}")
        runspan.flush()


def _polled(client: Any, thread_id: str, assistant_id: str, question: str) -> str:
    threads = client.beta.threads
    threads.messages.create(thread_id, role="user", content=question)
    run = threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id, poll_interval_ms=40)
    return f"{run.status}: {_answer(client, thread_id) if run.status == 'completed' else run.last_error.code}"


def _streamed(client: Any, thread_id: str, assistant_id: str, question: str) -> str:
    threads = client.beta.threads
    threads.messages.create(thread_id, role="user", content=question)
    with threads.runs.stream(thread_id=thread_id, assistant_id=assistant_id) as stream:
        answer = "".join(stream.text_deltas)
    return f"{stream.get_final_run().status}: {answer}"


def _function(client: Any) -> str:
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Weather", tools=[WEATHER])
    runs = client.beta.threads.runs
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "How is the weather in Paris?"}]},
        poll_interval_ms=40,
    )
    calls = run.required_action.submit_tool_outputs.tool_calls
    run = runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": c.id, "output": '{"temperature": 18, "sky": "clear"}'} for c in calls],
        poll_interval_ms=40,
    )
    return f"{run.status}: {_answer(client, run.thread_id)}"


def _answer(client: Any, thread_id: str) -> str:
    newest = client.beta.threads.messages.list(thread_id, order="desc", limit=1).data[0]
    return str(newest.content[0].text.value)
