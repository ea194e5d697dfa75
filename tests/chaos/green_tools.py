"""Users in green threads of one library: `python -m tests.chaos.green_tools LIBRARY WHEN`; prints whose calls landed where."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from tests.chaos.greenlets import import_runspan

spans: list[Any] = []


def instrument() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    import runspan

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    runspan.instrument(tracer_provider=provider, fetch="never", settle_s=0.0)
    spans.append(exporter)


def eventlet() -> tuple[Callable[[], None], Callable[..., Any]]:
    sys.modules["trio"] = None  # type: ignore[assignment]  # of our tests; it does not import under eventlet
    import eventlet

    return eventlet.monkey_patch, lambda work, each: list(eventlet.GreenPool(4).imap(work, each))


def gevent() -> tuple[Callable[[], None], Callable[..., Any]]:
    from gevent import monkey, pool

    return monkey.patch_all, lambda work, each: pool.Pool(4).map(work, each)


def when(patch: Callable[[], None]) -> dict[str, tuple[Callable[[], None], ...]]:
    return {
        "before the import": (patch, import_runspan, instrument),
        "after the import": (import_runspan, patch, instrument),
    }


def main(library: str, moment: str) -> None:
    patch, in_green_threads = {"eventlet": eventlet, "gevent": gevent}[library]()
    for step in when(patch)[moment]:
        step()
    import time

    import openai

    import runspan
    from runspan.fake import FunctionCall, Message, Scenario, SimulatedClock, Tools, serve

    @runspan.observe(kind="tool")
    def get_weather(city: str, answers: str) -> str:
        runspan.update(attributes={"answers": answers})
        time.sleep(0)  # the others go on
        return "12 °C"

    asks = Tools((FunctionCall("get_weather", '{"city": "Paris"}'),))
    with serve(Scenario(phases=(asks, Message("Sunny.")), poll_after_ms=1), SimulatedClock()) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="none")
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Help.")
        runs = client.beta.threads.runs

        def user(number: int) -> None:
            thread = client.beta.threads.create()
            run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
            time.sleep(0)
            if number % 4 == 0:
                return  # left
            outputs = [
                {
                    "tool_call_id": call.id,
                    "output": get_weather(**json.loads(call.function.arguments), answers=run.id),
                }
                for call in run.required_action.submit_tool_outputs.tool_calls
            ]
            runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=thread.id, tool_outputs=outputs)

        in_green_threads(user, range(16))
        runspan.uninstrument()
    done = spans[0].get_finished_spans()
    ids = {s.context.span_id: s.attributes.get("runspan.run.id") for s in done}
    tools = [s for s in done if "answers" in s.attributes]
    print(len(tools), sum(ids.get(s.parent and s.parent.span_id) == s.attributes["answers"] for s in tools))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
