"""The watched app: real runspan, the real client, a fake Assistants server; its traces go where `OTEL_*` says.

    python -m backends.app

plays every scene once and prints one JSON object: the spans that ended in this process, and runspan's counts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from openai import OpenAI
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

import runspan
from runspan.fake import FunctionCall, Logs, Message, Scenario, Tools, Usage, serve
from runspan.fake.scenarios import CodeInterpreter, Ending

SESSION, USER = os.environ.get("APP_SESSION", "session-7"), "ann"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}

ASKS_WEATHER = Scenario(
    phases=(
        Tools(
            (
                FunctionCall("get_weather", '{"city": "Paris"}'),
                FunctionCall("get_weather", '{"city": "Oslo"}'),
            )
        ),
        Message("Paris is warmer.", usage=Usage(1200, 80, cached_tokens=1024, reasoning_tokens=32)),
    )
)
STREAMED = Scenario(phases=(Message("Trees write slow letters to the light.", usage=Usage(40, 9)),))
COMPUTED = Scenario(
    phases=(
        Tools((CodeInterpreter("print((14 - 11) / 3)", (Logs("1.0"),)),)),
        Message("x = 1", usage=Usage(90, 12)),
    )
)
FAILING = Scenario(
    phases=(Message("This will not"),),
    ending=Ending("failed", code="rate_limit_exceeded", message="Rate limit is exceeded.", open_step=True),
)


class Told(SpanProcessor):
    """What ended in this process, as it will be compared."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        assert context is not None
        self.spans.append(
            {
                "trace": f"{context.trace_id:032x}",
                "span": f"{context.span_id:016x}",
                "parent": f"{span.parent.span_id:016x}" if span.parent else None,
                "name": span.name,
                "start_ns": span.start_time,
                "end_ns": span.end_time,
                "is_error": span.status.status_code.name == "ERROR",
                "attributes": dict(span.attributes or {}),
            }
        )


def watched(**options: Any) -> tuple[Any, Told]:
    """runspan with a provider of its own, and a listener beside its exporter."""
    handle = runspan.instrument(**options)
    told = Told()
    handle._providers.current().add_span_processor(told)
    return handle, told


# ---------------------------------------------------------------- scenes


@runspan.observe(kind="tool")
def get_weather(city: str) -> str:
    return json.dumps({"city": city, "celsius": {"Paris": 18, "Oslo": 7}[city]})


@runspan.observe
def ask_weather(client: OpenAI) -> str:
    """Polled, with two function calls."""
    helper = client.beta.assistants.create(
        model="gpt-4o", name="Weather", instructions="Compare.", tools=[WEATHER]
    )
    run = client.beta.threads.create_and_run(
        assistant_id=helper.id, thread={"messages": [{"role": "user", "content": "Paris or Oslo?"}]}
    )
    while run.status not in ("completed", "failed"):
        time.sleep(0.01)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        if run.status == "requires_action":
            calls = run.required_action.submit_tool_outputs.tool_calls
            outputs = [
                {"tool_call_id": c.id, "output": get_weather(**json.loads(c.function.arguments))}
                for c in calls
            ]
            run = client.beta.threads.runs.submit_tool_outputs(
                run.id, thread_id=run.thread_id, tool_outputs=outputs
            )
    return client.beta.threads.messages.list(run.thread_id).data[0].content[0].text.value


@runspan.observe
def stream_poem(client: OpenAI) -> str:
    poet = client.beta.assistants.create(
        model="gpt-4o", name="Poet", instructions="Write a line about trees."
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Begin."}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=poet.id) as stream:
        return "".join(stream.text_deltas)


@runspan.observe
def compute(client: OpenAI) -> str:
    """Code interpreter, its steps read by the app."""
    tutor = client.beta.assistants.create(
        model="gpt-4o", name="Math Tutor", instructions="Run code.", tools=[{"type": "code_interpreter"}]
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Please solve 3x + 11 = 14."}])
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=tutor.id, poll_interval_ms=10
    )
    client.beta.threads.runs.steps.list(run.id, thread_id=thread.id)
    return client.beta.threads.messages.list(thread.id).data[0].content[0].text.value


@runspan.observe
def fail(client: OpenAI) -> str:
    tutor = client.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="Be brief.")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=tutor.id,
        thread={"messages": [{"role": "user", "content": "And now?"}]},
        poll_interval_ms=10,
    )
    client.beta.threads.messages.list(run.thread_id)
    return run.status


SCENES = ((ask_weather, ASKS_WEATHER), (stream_poem, STREAMED), (compute, COMPUTED), (fail, FAILING))


def play() -> None:
    """Every scene, in one session of one user; a trace each."""
    with serve() as server, OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        for scene, scenario in SCENES:
            server.scenario = scenario
            with runspan.context(session_id=SESSION, user_id=USER):
                scene(client)
        runspan.flush(20)


def main() -> None:
    handle, told = watched()
    play()
    is_out = runspan.flush(20)
    stats = handle.stats()
    runspan.uninstrument()
    json.dump(
        {
            "spans": told.spans,
            "flushed": is_out,
            "dropped": dict(stats.dropped),
            "errors": dict(stats.errors),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
