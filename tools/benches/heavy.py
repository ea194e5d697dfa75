"""The load's run: ten messages, two function calls that the app answers, one of the code interpreter. 5 spans, 7 records.

Payloads are templates with the number put in, so that making them costs next to nothing beside reading them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benches.door import SERVER, TOOK_NS, Door, dumps, message, run
from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.clients.openai.starts import run_data
from runspan.runtime import clock
from runspan.runtime.records import Call, Page

SPANS = 5  # run and generation, three tools
RECORDS = 7
MESSAGES = 10
MARK = "@#@"

FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
TOOLS = [FUNCTION, {"type": "code_interpreter"}]
CALLS = [
    {
        "id": f"call_{MARK}_{n}",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    for n in range(2)
]
OUTPUTS = [{"tool_call_id": call["id"], "output": '{"celsius": 18}'} for call in CALLS]
ASKED = [
    {"role": "user", "content": f"Message {n} of a talk about the weather in Paris."} for n in range(MESSAGES)
]


def _run(status: str, **more: Any) -> bytes:
    return dumps({**run(MARK, status), "tools": TOOLS, **more})  # type: ignore[arg-type]


def _step(index: int, calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"step_{MARK}_{index}",
        "object": "thread.run.step",
        "run_id": f"run_{MARK}",
        "thread_id": f"thread_{MARK}",
        "assistant_id": "asst_1",
        "type": "tool_calls",
        "status": "completed",
        "created_at": 1_700_000_000,
        "completed_at": 1_700_000_001,
        "step_details": {"type": "tool_calls", "tool_calls": calls},
    }


INTERPRETED = [
    {
        "id": f"call_{MARK}_c{n}",
        "type": "code_interpreter",
        "code_interpreter": {"input": "print(1 * 7)", "outputs": [{"type": "logs", "logs": "7"}]},
    }
    for n in range(1)
]
ANSWERED = [{**call, "function": {**call["function"], "output": '{"celsius": 18}'}} for call in CALLS]  # type: ignore[dict-item]
SENT = {"assistant_id": "asst_1", "thread": {"messages": ASKED}}
QUEUED, WORKING, DONE = _run("queued"), _run("in_progress"), _run("completed")
WAITING = _run(
    "requires_action",
    required_action={"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": CALLS}},
)
SUBMITTED = dumps({"tool_outputs": OUTPUTS})
STEPS = [dumps(_step(n + 1, [call])) for n, call in enumerate(INTERPRETED)] + [dumps(_step(0, ANSWERED))]
LISTED = [dumps(message(MARK, 0, "assistant", "18 degrees, and 7.", f"run_{MARK}"))] + [  # type: ignore[arg-type]
    dumps(message(MARK, n + 1, m["role"], m["content"], None))  # type: ignore[arg-type]
    for n, m in enumerate(reversed(ASKED))
]
BODY = dumps(SENT)
THREAD = f"/threads/thread_{MARK}"
RUN = f"{THREAD}/runs/run_{MARK}"
ROUTES = {
    "create": ("post", "/threads/runs"),
    "poll": ("get", RUN),
    "submit": ("post", f"{RUN}/submit_tool_outputs"),
    "steps": ("get", f"{RUN}/steps"),
    "list": ("get", f"{THREAD}/messages"),
}


def records(door: Door, number: int) -> Iterator[Call]:
    """Of one run, in the order in which an app makes the calls."""
    mark = str(number).encode()

    def put_in(payload: bytes) -> bytes:
        return payload.replace(MARK.encode(), mark)

    def call(route: str, result: Any, body: bytes | None = None) -> Call:
        method, path = ROUTES[route]
        found = match(method, path.replace(MARK, str(number)))
        assert found is not None
        now_ns = clock.now_ns()
        return Call(API, found, SERVER, now_ns, now_ns + TOOK_NS, body=body, result=result)

    created = call("create", put_in(QUEUED), BODY)
    created.live = door.handle._patch._starts._emitter.begin(
        run_data(created, SENT, door.handle._patch._starts._agent_of)
    )
    created.context = created.live.context
    yield created
    alive = {
        "id": f"run_{number}",
        "status": "in_progress",
        "started_at": 1_700_000_000,
        "expires_at": 1_700_000_600,
    }
    yield call("poll", alive)  # as `result_copy.run` copies a poll of a live run
    yield call("poll", put_in(WAITING))
    yield call("submit", put_in(WORKING), put_in(SUBMITTED))
    yield call("poll", put_in(DONE))
    yield call("steps", Page(tuple(map(put_in, STEPS)), False))
    yield call("list", Page(tuple(map(put_in, LISTED)), False))
