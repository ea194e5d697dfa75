"""Small archives, made by hand: one thread with its runs, in any number, and in any layout."""

from __future__ import annotations

from typing import Any

A = 1_700_000_000  # created_at of the first run


def message(thread: str, n: int, role: str, text: str, at: int, run: str | None = None) -> dict[str, Any]:
    return {
        "id": f"msg_{thread}_{n:04d}",
        "object": "thread.message",
        "created_at": at,
        "thread_id": thread,
        "role": role,
        "run_id": run,
        "assistant_id": "asst_1" if run else None,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
    }


def run(thread: str, n: int = 0, at: int = A, **more: Any) -> dict[str, Any]:
    """Created at `at`, started a second later, over after three."""
    return {
        "id": f"run_{thread}_{n}",
        "object": "thread.run",
        "created_at": at,
        "thread_id": thread,
        "assistant_id": "asst_1",
        "status": "completed",
        "started_at": at + 1,
        "completed_at": at + 3,
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [],
        "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        **more,
    }


def step(of: dict[str, Any], n: int, details: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": f"step_{of['id']}_{n}",
        "object": "thread.run.step",
        "created_at": of["created_at"] + 1,
        "completed_at": of["created_at"] + 2,
        "run_id": of["id"],
        "thread_id": of["thread_id"],
        "type": details["type"],
        "status": "completed",
        "step_details": details,
        **more,
    }


def function_step(of: dict[str, Any], n: int = 0) -> dict[str, Any]:
    call = {
        "id": f"call_{of['id']}",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city":"Paris"}', "output": "21"},
    }
    return step(of, n, {"type": "tool_calls", "tool_calls": [call]})


def assistant() -> dict[str, Any]:
    return {"id": "asst_1", "object": "assistant", "name": "Tutor", "model": "gpt-4o", "created_at": A - 100}


def thread(id_: str, runs: int = 1, at: int = A) -> dict[str, Any]:
    """As `assistants-thread-export/v1`: each run has a question before it, a step and an answer."""
    messages, made = [], []
    for n in range(runs):
        begun = at + 10 * n
        one = run(id_, n, begun)
        messages.append(message(id_, 2 * n, "user", f"Question {n}?", begun - 1))
        messages.append(message(id_, 2 * n + 1, "assistant", f"Answer {n}.", begun + 2, one["id"]))
        made.append({**one, "steps": [function_step(one)]})
    return {
        "export_schema": "assistants-thread-export/v1",
        "thread_id": id_,
        "thread": {"id": id_, "object": "thread", "created_at": at - 10},
        "messages": messages,
        "runs": made,
        "files": {},
        "errors": [],
    }


def objects(export: dict[str, Any]) -> list[dict[str, Any]]:
    """The same as single objects."""
    runs = [{key: value for key, value in one.items() if key != "steps"} for one in export["runs"]]
    steps = [one for of in export["runs"] for one in of["steps"]]
    return [export["thread"], *export["messages"], *runs, *steps]


def page(rows: list[Any], **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": False, **more}
