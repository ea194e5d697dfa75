"""The load's run: ten messages, two function calls that the app answers, one of the code interpreter. 5 spans, 7 records.

Payloads are templates with the number put in, so that making them costs next to nothing beside reading them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benches.door import AT, Door, dumps, listing, run
from runspan.runtime.records import Call, Page

MESSAGES, SPANS, RECORDS = 10, 5, 7
MARK = "@#@"
FUNCTION = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
FUNCTIONS: list[dict[str, Any]] = [
    {"id": f"call_{MARK}_{n}", "type": "function", "function": FUNCTION} for n in range(2)
]
CODE = {"input": "print(1 * 7)", "outputs": [{"type": "logs", "logs": "7"}]}
USED = [{"id": f"call_{MARK}_c", "type": "code_interpreter", "code_interpreter": CODE}]
OUTPUT = '{"celsius": 18}'
ANSWERED = [{**call, "function": {**FUNCTION, "output": OUTPUT}} for call in FUNCTIONS]
ASKED = [
    {"role": "user", "content": f"Message {n} of a talk about the weather in Paris."} for n in range(MESSAGES)
]
SENT: dict[str, Any] = {"assistant_id": "asst_1", "thread": {"messages": ASKED}}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": {}}},
    {"type": "code_interpreter"},
]
ACTION = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": FUNCTIONS}}

BODY = dumps(SENT)
QUEUED, WORKING, DONE = (dumps(run(MARK, of, tools=TOOLS)) for of in ("queued", "in_progress", "completed"))
WAITING = dumps(run(MARK, "requires_action", tools=TOOLS, required_action=ACTION))
SUBMITTED = dumps({"tool_outputs": [{"tool_call_id": call["id"], "output": OUTPUT} for call in FUNCTIONS]})
LISTED = list(listing(MARK, ASKED))


def _step(number: int, calls: list[dict[str, Any]]) -> bytes:
    step = {
        "id": f"step_{MARK}_{number}", "object": "thread.run.step", "run_id": f"run_{MARK}",
        "thread_id": f"thread_{MARK}", "assistant_id": "asst_1", "type": "tool_calls", "status": "completed",
        "created_at": AT, "completed_at": AT + 1, "step_details": {"type": "tool_calls", "tool_calls": calls},
    }  # fmt: skip
    return dumps(step)


STEPS = [_step(1, USED), _step(0, ANSWERED)]


def records(door: Door, number: int) -> Iterator[Call]:
    """Of one run, in the order in which an app makes the calls."""

    def filled(payload: bytes) -> bytes:
        return payload.replace(MARK.encode(), str(number).encode())

    def page(items: list[bytes]) -> Page:
        return Page(tuple(map(filled, items)), False)

    thread = f"/threads/thread_{number}"
    path = f"{thread}/runs/run_{number}"
    # As `result_copy.run` copies a poll of a live run.
    alive = {"id": f"run_{number}", "status": "in_progress", "started_at": AT, "expires_at": AT + 600}
    yield door.creating(SENT, filled(QUEUED), BODY)
    yield door.call("get", path, alive)
    yield door.call("get", path, filled(WAITING))
    yield door.call("post", f"{path}/submit_tool_outputs", filled(WORKING), filled(SUBMITTED))
    yield door.call("get", path, filled(DONE))
    yield door.call("get", f"{path}/steps", page(STEPS))
    yield door.call("get", f"{thread}/messages", page(LISTED))
