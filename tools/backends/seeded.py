"""An app under a steady, mixed load: what a dashboard has to show. Traces and metrics go where `OTEL_*` says.

python -m backends.seeded 30    for so many seconds
"""

from __future__ import annotations

import json
import sys
import time

from openai import OpenAI

import runspan
from runspan.fake import FunctionCall, Message, Scenario, Tools, serve
from runspan.fake.library import SCENARIOS

from .app import FAILING, SCENES, WEATHER

ASKS = Scenario(phases=(Tools((FunctionCall("get_weather", '{"city": "Atlantis"}'),)), Message("Nowhere.")))


@runspan.observe(kind="tool")
def get_weather(city: str) -> str:
    raise LookupError(f"no weather in {city}")


@runspan.observe
def ask_nowhere(client: OpenAI) -> None:
    """A function tool that fails: the app says so to the model, and the run goes on."""
    helper = client.beta.assistants.create(
        model="gpt-4o-mini", name="Weather", instructions="Look it up.", tools=[WEATHER]
    )
    run = client.beta.threads.create_and_run_poll(assistant_id=helper.id, poll_interval_ms=10)
    while run.status == "requires_action":
        outputs = []
        for call in run.required_action.submit_tool_outputs.tool_calls:
            try:
                output = get_weather(**json.loads(call.function.arguments))
            except LookupError as error:
                output = str(error)
            outputs.append({"tool_call_id": call.id, "output": output})
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs, poll_interval_ms=10
        )
    client.beta.threads.messages.list(run.thread_id)


def main(seconds: float) -> None:
    handle = runspan.instrument()
    ends = time.monotonic() + seconds
    rounds = 0
    with serve() as server, OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        while time.monotonic() < ends:
            for scene, scenario in (*SCENES, (ask_nowhere, ASKS), (SCENES[-1][0], SCENARIOS["failed_tool"])):
                server.scenario = scenario
                scene(client)
            rounds += 1
        handle.flush(20)
        time.sleep(2)  # the last of the metrics' intervals
    print(
        json.dumps(
            {
                "rounds": rounds,
                "runs": handle.stats().started,
                "failed": 2 * rounds,
                "of": FAILING.ending.code,
            }
        )
    )


if __name__ == "__main__":
    main(float(sys.argv[1]))
