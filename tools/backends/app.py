"""The watched app: real runspan, the real client, a fake server of both APIs; its traces go where `OTEL_*` says.

    python -m backends.app MODE '{"option": value}'

plays one of the modes below and prints one JSON object: the spans that ended in this process, runspan's counts, what the mode adds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from openai import OpenAI
from opentelemetry import context, propagate
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

import runspan
from backends.responses import CELSIUS, INSTRUCTIONS, MODEL, Facts, get_weather, responses
from runspan.fake import FunctionCall, Logs, Message, Scenario, Server, Tools, Usage, serve
from runspan.fake.library import SCENARIOS
from runspan.fake.scenarios import CodeInterpreter, Ending

SESSION, USER = os.environ.get("APP_SESSION", "session-7"), "ann"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
ASKED = tuple(FunctionCall("get_weather", json.dumps({"city": city})) for city in CELSIUS)
COMPARED = Message("Paris is warmer.", usage=Usage(1200, 80, cached_tokens=1024, reasoning_tokens=32))
STREAMED = Scenario(phases=(Message("Trees write slow letters to the light.", usage=Usage(40, 9)),))
PRINTED = CodeInterpreter("print((14 - 11) / 3)", (Logs("1.0"),))
COMPUTED = Scenario(phases=(Tools((PRINTED,)), Message("x = 1", usage=Usage(90, 12))))
FAILED = Ending("failed", code="rate_limit_exceeded", message="Rate limit is exceeded.", open_step=True)
SLOW_S = 6.0
ODD = {
    "failed": SCENARIOS["failed"].but(queue_s=0.0),
    "slow": Scenario(phases=(Message("At last.", seconds=SLOW_S),), queue_s=0.0),
    "expensive": Scenario(phases=(Message("Much.", seconds=0.0, usage=Usage(90_000, 10)),), queue_s=0.0),
}
PLAIN = Scenario(phases=(Message("Fine.", seconds=0.0, usage=Usage(20, 2)),), queue_s=0.0)


class Ended(SpanProcessor):
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


# ---------------------------------------------------------------- scenes


def assistant(client: OpenAI, name: str, *tools: Any) -> str:
    return client.beta.assistants.create(model=MODEL, name=name, instructions=INSTRUCTIONS, tools=tools).id


def thread(question: str) -> Any:
    return {"messages": [{"role": "user", "content": question}]}


def asked(client: OpenAI, assistant_id: str, question: str) -> Any:
    """A run on a thread of its own, at its end."""
    return polled(
        client, client.beta.threads.create_and_run(assistant_id=assistant_id, thread=thread(question))
    )


def polled(client: OpenAI, run: Any) -> Any:
    """To its end, tools answered, the messages read."""
    while run.status in ("queued", "in_progress", "requires_action"):
        time.sleep(0.005)
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
    client.beta.threads.messages.list(run.thread_id)
    return run


@runspan.observe
def ask_weather(client: OpenAI, question: str) -> Any:
    return asked(client, assistant(client, "Weather", WEATHER), question)


@runspan.observe
def stream_poem(client: OpenAI, question: str) -> Any:
    talk = client.beta.threads.create(**thread(question))
    poet = assistant(client, "Poet")
    with client.beta.threads.runs.stream(thread_id=talk.id, assistant_id=poet) as stream:
        return stream.get_final_run()


@runspan.observe
def compute(client: OpenAI, question: str) -> Any:
    """Code interpreter, its steps read by the app."""
    tutor = assistant(client, "Math Tutor", {"type": "code_interpreter"})
    run = asked(client, tutor, question)
    client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    return run


@runspan.observe
def fail_run(client: OpenAI, question: str) -> Any:
    return asked(client, assistant(client, "Math Tutor"), question)


# With the question, the agent's name, what the server does, and the tools.
SCENES: tuple[tuple[Callable[[OpenAI, str], Any], str, str, Scenario, tuple[str, ...]], ...] = (
    (
        ask_weather,
        "Paris or Oslo?",
        "Weather",
        Scenario(phases=(Tools(ASKED), COMPARED)),
        ("get_weather",) * 2,
    ),
    (stream_poem, "Begin.", "Poet", STREAMED, ()),
    (compute, "Please solve 3x + 11 = 14.", "Math Tutor", COMPUTED, ("code_interpreter",)),
    (fail_run, "And now?", "Math Tutor", Scenario(phases=(Message("This will not"),), ending=FAILED), ()),
)


# ---------------------------------------------------------------- modes: each gives what it adds to the facts


def scenes(client: OpenAI, server: Server) -> Facts:
    """Every scene of both APIs once, a trace each. Adds what the API said of each run, and where the span of each tool belongs."""
    made: list[Facts] = []
    tools: list[tuple[str, str]] = []
    with runspan.context(user_id=USER):
        for scene, question, agent, server.scenario, used in SCENES:
            began, above = time.monotonic(), f"invoke_agent {agent}"
            with runspan.context(session_id=SESSION):
                run = scene(client, question)
            made.append({"scene": scene.__name__, "above": above, "took_s": time.monotonic() - began})
            made[-1] |= _facts(client, question, run)
            tools += [(name, above) for name in used]
        of_responses, their_tools = responses(client, server)
    return {"asked": [*made, *of_responses], "tools": sorted([*tools, *their_tools])}


def _facts(client: OpenAI, question: str, run: Any) -> Facts:
    usage = run.usage.model_dump() if run.usage else {}
    (answer,) = client.beta.threads.messages.list(run.thread_id, run_id=run.id).data
    return {
        "id": run.id,
        "model asked for": MODEL,
        "model": run.model,
        "tokens in": usage.get("prompt_tokens"),
        "tokens out": usage.get("completion_tokens"),
        "tokens cached": usage.get("prompt_token_details", {}).get("cached_tokens"),
        "tokens written to the cache": None,
        "tokens of reasoning": usage.get("completion_tokens_details", {}).get("reasoning_tokens"),
        "question": f"{INSTRUCTIONS}\n{question}",
        "answer": answer.content[0].text.value,
        "error": run.last_error.code if run.last_error else None,
        "session": SESSION,
    }


def halves(client: OpenAI, server: Server, odd: dict[str, str], parents: list[dict[str, str]]) -> Facts:
    """A half of each trace, below its parent from another process; `odd`: what is the matter with the run of that trace."""
    tutor, carriers = assistant(client, "Tutor"), []
    for number, parent in enumerate(parents):
        token = context.attach(propagate.extract(parent, context.Context()))
        with runspan.context(user_id=USER), runspan.span("half"):
            server.play_next(ODD[odd[str(number)]] if str(number) in odd else PLAIN)
            polled(client, client.beta.threads.create_and_run(assistant_id=tutor))
            carriers.append(carrier := {})
            propagate.inject(carrier)
        context.detach(token)
    return {"carriers": carriers}


MODES: dict[str, Callable[..., Facts]] = {mode.__name__: mode for mode in (scenes, halves)}


def main(mode: str, options: dict[str, Any]) -> None:
    handle, ended = runspan.instrument(**options.pop("instrument", {})), Ended()
    handle._providers.current().add_span_processor(ended)
    with serve() as server, OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        added = MODES[mode](client, server, **options)
        flushed = runspan.flush(60)
    stats = handle.stats()
    counts = {"dropped": dict(stats.dropped), "errors": dict(stats.errors)}
    print(json.dumps({"spans": ended.spans, "flushed": flushed, **counts, **added}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
