"""What the worker needs to assemble and emit one large run: 20 steps with tools of three kinds, 50 messages."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor

from benches.door import Door, dumps, run
from benches.table import Row
from benches.timing import bare_spans, best_us
from runspan.runtime.records import Page

RUNS = 100
STEPS, MESSAGES = 20, 50
CHARS = 400  # of a message, of code, of a result
WORDS = "the quick brown fox jumps over the lazy dog "
TEXT = (WORDS * (CHARS // len(WORDS) + 1))[:CHARS]


def rows() -> Iterator[Row]:
    door = Door(SpanProcessor(), simulated=False)
    times = sorted(_took_ms(door, number) for number in range(RUNS))
    stats = door.handle.stats()
    if stats.emitted != RUNS:
        raise SystemExit(f"{stats.emitted} of {RUNS} runs came out")
    spans = STEPS + 2
    bare_us = best_us({"bare": bare_spans(100)}, calls=100, rounds=5, settle=lambda: None)["bare"]
    note = f"{spans} spans; median {times[RUNS // 2]:.2f}; the best of {RUNS} counts, as noise only ever adds"
    yield Row(
        f"assembling and emitting a run of {STEPS} steps and {MESSAGES} messages",
        times[0],
        "ms",
        5,
        bare=times[0] * 1_000 / bare_us,
        note=note,
    )


def _took_ms(door: Door, number: int) -> float:
    """Processor time. All was read while the run lived, so it lingers for a later look until `emit_over` ends that."""
    asked = [{"role": "user", "content": f"{i} {TEXT}"} for i in range(MESSAGES - 1)]
    door.take(door.started(number, asked))
    door.take(door.polled(number, "in_progress"))
    steps = door.answered("get", f"/threads/thread_{number}/runs/run_{number}/steps", {})
    steps.query = {"order": "asc"}
    steps.result = Page(tuple(dumps(_step(number, i)) for i in range(STEPS)), False)
    door.take(steps)
    door.take(door.listed(number, asked))
    over = {**run(number, "completed"), "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]}
    door.take(door.answered("get", f"/threads/thread_{number}/runs/run_{number}", over))
    began_ns = time.thread_time_ns()
    door.emit_over()
    return (time.thread_time_ns() - began_ns) / 1e6


def _step(number: int, index: int) -> dict[str, Any]:
    at = 1_700_000_000
    return {
        "id": f"step_{number}_{index}",
        "object": "thread.run.step",
        "type": "tool_calls",
        "status": "completed",
        "created_at": at,
        "completed_at": at + 1,
        "usage": {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35},
        "step_details": {"type": "tool_calls", "tool_calls": [_call(f"call_{number}_{index}", index % 3)]},
    }


def _call(id_: str, kind: int) -> dict[str, Any]:
    if kind == 0:
        outputs = [{"type": "logs", "logs": TEXT}]
        return {
            "id": id_,
            "type": "code_interpreter",
            "code_interpreter": {"input": TEXT, "outputs": outputs},
        }
    if kind == 1:
        found = [
            {
                "file_id": f"file-{i}",
                "file_name": f"{i}.txt",
                "score": 0.5,
                "content": [{"type": "text", "text": TEXT}],
            }
            for i in range(5)
        ]
        return {"id": id_, "type": "file_search", "file_search": {"results": found}}
    arguments = json.dumps({"text": TEXT})
    return {
        "id": id_,
        "type": "function",
        "function": {"name": "look_up", "arguments": arguments, "output": TEXT},
    }
