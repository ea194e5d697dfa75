"""A process that takes orders, one JSON line each on stdin, and answers on stdout: `python -m tests.processes.relay`.

So the test decides who acts when, and nothing is timed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import runspan
from tests.support import app

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}
QUESTION = "What is the weather in Paris?"


def create(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    """A web process: creates the run, and looks no further."""

    @runspan.observe
    def ask() -> Any:
        assistant = client.beta.assistants.create(model=app.MODEL, name="Math Tutor", tools=[TOOL])
        thread = client.beta.threads.create()
        client.beta.threads.messages.create(thread.id, role="user", content=QUESTION)
        with runspan.context(session_id="s1"):
            return client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)

    run = ask()
    return {"run": run.id, "thread": run.thread_id, "metadata": run.metadata}


def handoff(_: Any, order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "headers": runspan.handoff(order["run"])}


def work(client: Any, order: dict[str, Any]) -> dict[str, Any]:
    """A worker: polls, answers the tools, polls on to the end."""
    runs = client.beta.threads.runs

    def get_weather(city: str) -> str:
        return f"12 °C in {city}"

    if order.get("observes", True):
        get_weather = runspan.observe(kind="tool")(get_weather)

    def polled() -> Any:
        run = runs.retrieve(order["run"], thread_id=order["thread"])
        while run.status in ("queued", "in_progress"):
            time.sleep(0.01)
            run = runs.retrieve(order["run"], thread_id=order["thread"])
        return run

    if order.get("headers") is not None:
        with runspan.adopt(order["run"], order["headers"]):
            return _answered(runs, polled, get_weather, order)
    return _answered(runs, polled, get_weather, order)


def _answered(runs: Any, polled: Any, get_weather: Any, order: dict[str, Any]) -> dict[str, Any]:
    run = polled()
    if run.required_action is not None:
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs = [
            {"tool_call_id": c.id, "output": get_weather(**json.loads(c.function.arguments))} for c in calls
        ]
        runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
        run = polled()
    return {**order, "status": run.status}


def show(client: Any, order: dict[str, Any]) -> dict[str, Any]:
    """A page of history: runs, the run itself, its steps, the messages."""
    threads = client.beta.threads
    run = threads.runs.retrieve(order["run"], thread_id=order["thread"])
    assert [r.id for r in threads.runs.list(order["thread"]).data] == [run.id]
    threads.runs.steps.list(run.id, thread_id=order["thread"])
    messages = threads.messages.list(order["thread"]).data
    return {**order, "status": run.status, "answer": messages[0].content[0].text.value}


def stats(_: Any, order: dict[str, Any]) -> dict[str, Any]:
    runspan.flush(20)
    found = runspan.instrument().stats()
    return {name: getattr(found, name) for name in ("started", "emitted", "unfinished", "handed_off", "live")}


STEPS = {f.__name__: f for f in (create, handoff, work, show, stats)}


def main() -> None:
    runspan.instrument(exit_timeout_s=20, **json.loads(os.environ.get("APP_OPTIONS", "{}")))
    client = app.client()
    for line in sys.stdin:
        step, order = json.loads(line)
        print(json.dumps(STEPS[step](client, order)), flush=True)


if __name__ == "__main__":
    main()
