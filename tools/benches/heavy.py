"""Runs with many messages and tools, as templates with the number put in: making them costs next to nothing beside reading them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from benches.door import AT, Door, dumps, listing, run
from runspan.runtime.records import Call, Page

MARK = "@#@"
THREAD = f"/threads/thread_{MARK}"
RUN = f"{THREAD}/runs/run_{MARK}"
RECORDS = 7
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}},
    {"type": "code_interpreter"},
]


class HeavyRun:
    """`steps`: the types of the calls of each step that used tools. `text`: of each message, argument, result."""

    def __init__(self, messages: int, steps: Sequence[Sequence[str]], text: str) -> None:
        calls = [
            [_call(f"{n}_{m}", kind, text) for m, kind in enumerate(kinds)] for n, kinds in enumerate(steps)
        ]
        functions = [call for step in calls for call in step if call["type"] == "function"]
        asked = [{"role": "user", "content": f"{n} {text}"} for n in range(messages)]
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": functions}}
        outputs = [{"tool_call_id": call["id"], "output": text} for call in functions]
        self.spans = 2 + sum(map(len, calls))
        self._sent = {"assistant_id": "asst_1", "thread": {"messages": asked}}
        self._body, self._submitted = dumps(self._sent), dumps({"tool_outputs": outputs})
        self._queued, self._working, self._done = (
            dumps(run(MARK, status, tools=TOOLS)) for status in ("queued", "in_progress", "completed")
        )
        self._waiting = dumps(run(MARK, "requires_action", tools=TOOLS, required_action=action))
        self._steps = [dumps(_step(n, step)) for n, step in reversed(list(enumerate(calls)))]
        self._listed = list(listing(MARK, asked))

    def records(self, door: Door, number: int) -> Iterator[Call]:
        """Of one run, in the order in which an app makes the calls."""

        def filled(payload: bytes) -> bytes:
            return payload.replace(MARK.encode(), str(number).encode())

        def page(items: list[bytes]) -> Page:
            return Page(tuple(map(filled, items)), False)

        path, thread = RUN.replace(MARK, str(number)), THREAD.replace(MARK, str(number))
        # As `result_copy.run` copies a poll of a live run.
        alive = {"id": f"run_{number}", "status": "in_progress", "started_at": AT, "expires_at": AT + 600}
        yield door.creating(self._sent, filled(self._queued), self._body)
        yield door.call("get", path, alive)
        yield door.call("get", path, filled(self._waiting))
        yield door.call("post", f"{path}/submit_tool_outputs", filled(self._working), filled(self._submitted))
        yield door.call("get", path, filled(self._done))
        yield door.call("get", f"{path}/steps", page(self._steps))
        yield door.call("get", f"{thread}/messages", page(self._listed))


def _call(number: str, kind: str, text: str) -> dict[str, Any]:
    used: dict[str, Any] = {
        "function": {"name": "get_weather", "arguments": json.dumps({"text": text}), "output": text},
        "code_interpreter": {"input": text, "outputs": [{"type": "logs", "logs": text}]},
    }
    return {"id": f"call_{MARK}_{number}", "type": kind, kind: used[kind]}


def _step(number: int, calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"step_{MARK}_{number}", "object": "thread.run.step", "run_id": f"run_{MARK}",
        "thread_id": f"thread_{MARK}", "assistant_id": "asst_1", "type": "tool_calls", "status": "completed",
        "created_at": AT, "completed_at": AT + 1, "step_details": {"type": "tool_calls", "tool_calls": calls},
    }  # fmt: skip


# Of `make load` and `make soak`: ten messages, two function calls that the app answers, one of the code interpreter.
USUAL = HeavyRun(10, (("function", "function"), ("code_interpreter",)), "18 degrees in Paris, and 7.")
