"""The course of a run as generators that read like a recorded event stream.

Each yields waits (seconds) and events; what stands before an event's `yield` changes the objects. Polling
plays the same script and drops the events, so what is polled and what is streamed cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from runspan.fake import objects
from runspan.fake.answers import decide
from runspan.fake.course import Script
from runspan.fake.deltas import call_deltas, grow, message_deltas
from runspan.fake.run import Run
from runspan.fake.scenarios import Auto, Ending, FunctionCall, Message, Tools, Usage
from runspan.fake.store import Object
from runspan.fake.tools import tool_call

# status of a run -> the field that takes the time, the last event, and what becomes of an open step's status,
# an open message's reason
ENDS: dict[str, tuple[str | None, str, str, str | None]] = {
    "completed": ("completed_at", "thread.run.completed", "completed", None),
    "incomplete": ("completed_at", "thread.run.completed", "completed", "max_tokens"),
    "failed": ("failed_at", "thread.run.failed", "failed", "run_failed"),
    "expired": (None, "thread.run.expired", "expired", "run_expired"),
    "cancelled": ("cancelled_at", "thread.run.cancelled", "cancelled", "run_cancelled"),
}


def begin(run: Run, now: float) -> None:
    """Start the run's life: afterwards it is queued."""
    run.expiry = _finish(run, Ending("expired"))
    run.play(_live(run), now)


def cancel(run: Run, now: float) -> None:
    """The app asked for it: cancelling, and in a moment cancelled."""
    run.play(_cancel(run), now)


def submit(run: Run, outputs: dict[str, str], now: float) -> None:
    """The outputs the run waited for: it is queued again."""
    run.outputs.update(outputs)
    run.go_on(now)


def _live(run: Run) -> Script:
    yield "thread.run.created", run.body
    yield "thread.run.queued", run.body
    yield from _start(run)
    ending = run.scenario.ending
    phases = list(run.scenario.phases)
    while phases:
        phase = phases.pop(0)
        if isinstance(phase, Auto):
            phases[:0] = decide(run.turn(), phase)
            continue
        leave_open = ending.open_step and not phases
        if isinstance(phase, Tools):
            yield from _use_tools(run, phase, leave_open)
        else:
            yield from _write_message(run, phase, leave_open)
    yield from _cancel(run) if ending.status == "cancelled" else _finish(run, ending)


def _start(run: Run) -> Script:
    """queued -> in_progress. `started_at` is the time of the latest start (recorded)."""
    yield run.scenario.queue_s
    run.body.update(status="in_progress", started_at=run.now)
    yield "thread.run.in_progress", run.body


def _open_step(run: Run, details: Object) -> Script:
    id_ = run.state.new_id("step_")
    step = run.open_step = run.steps.put(id_, objects.step(id_, run.now, run.body, details))
    yield "thread.run.step.created", step
    yield "thread.run.step.in_progress", step


def _write_message(run: Run, phase: Message, leave_open: bool) -> Script:
    yield phase.seconds
    id_ = run.state.new_id("msg_")
    yield from _open_step(run, {"type": "message_creation", "message_creation": {"message_id": id_}})
    more = {"assistant_id": run.body["assistant_id"], "run_id": run.body["id"]}
    message = objects.message(id_, run.now, run.body["thread_id"], "assistant", [], **more)
    message.update(status="in_progress", completed_at=None)
    run.open_message = run.thread.messages.put(id_, message)
    yield "thread.message.created", message
    yield "thread.message.in_progress", message
    pieces = 0
    for delta in message_deltas(phase.content, run):
        grow(message["content"], delta)
        pieces += 1
        yield (
            "thread.message.delta",
            {"id": id_, "object": "thread.message.delta", "delta": {"content": [delta]}},
        )
        if phase.token_s:
            yield phase.token_s
    if not leave_open:
        yield from _close_message(run, phase.cut)
        yield from _close_step(run, phase.usage or _estimate(run, pieces))


def _use_tools(run: Run, phase: Tools, leave_open: bool) -> Script:
    yield from _open_step(run, {"type": "tool_calls", "tool_calls": []})
    step = run.open_step
    assert step is not None  # noqa: S101  (just opened)
    yield phase.seconds
    calls: list[Object] = step["step_details"]["tool_calls"]
    pieces = 0
    for index, given in enumerate(phase.calls):
        call = tool_call(run, given)
        calls.append(call)
        for delta in call_deltas(index, call):
            pieces += 1
            details = {"step_details": {"type": "tool_calls", "tool_calls": [delta]}}
            yield (
                "thread.run.step.delta",
                {"id": step["id"], "object": "thread.run.step.delta", "delta": details},
            )
    if any(isinstance(given, FunctionCall) for given in phase.calls):
        functions = [call for call in calls if call["type"] == "function"]
        yield from _require_action(run, functions)
        yield from _close_step(run, phase.usage or _estimate(run, pieces))
        run.body.update(status="queued", required_action=None)
        yield "thread.run.queued", run.body
        yield from _start(run)
    elif not leave_open:
        yield from _close_step(run, phase.usage or _estimate(run, pieces))


def _require_action(run: Run, functions: list[Object]) -> Script:
    """Until the outputs are there: all of them, put into the calls."""
    wanted = [
        {**call, "function": {name: call["function"][name] for name in ("name", "arguments")}}
        for call in functions
    ]
    run.body["required_action"] = {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {"tool_calls": wanted},
    }
    run.body["status"] = "requires_action"
    yield "thread.run.requires_action", run.body
    yield math.inf
    for call in functions:
        call["function"]["output"] = run.outputs[call["id"]]


def _close_message(run: Run, reason: str | None) -> Iterator[tuple[str, Object]]:
    """Completed, or incomplete for a reason."""
    message, run.open_message = run.open_message, None
    if message is None:
        return
    if reason is None:
        message.update(status="completed", completed_at=run.now)
    else:
        message.update(status="incomplete", incomplete_at=run.now, incomplete_details={"reason": reason})
    yield f"thread.message.{message['status']}", message


def _close_step(run: Run, usage: Usage, status: str = "completed") -> Iterator[tuple[str, Object]]:
    step, run.open_step = run.open_step, None
    if step is None:
        return
    run.usages.append(usage)
    step.update({"status": status, f"{status}_at": run.now, "usage": objects.usage([usage])})
    if status == "failed":
        step["last_error"] = run.body["last_error"]
    yield f"thread.run.step.{status}", step


def _cancel(run: Run) -> Script:
    run.body.update(status="cancelling", required_action=None)
    yield "thread.run.cancelling", run.body
    yield run.scenario.cancel_s
    yield from _finish(run, Ending("cancelled"))


def _finish(run: Run, ending: Ending) -> Script:
    """End what is open, then the run. Only then has it a usage (recorded)."""
    time_field, event, step_status, message_reason = ENDS[ending.status]
    if ending.code:
        run.body["last_error"] = {"code": ending.code, "message": ending.message}
    yield from _close_message(run, message_reason)
    yield from _close_step(run, Usage(0, 0), step_status)
    run.body.update(status=ending.status, required_action=None, usage=objects.usage(run.usages))
    if ending.reason:
        run.body["incomplete_details"] = {"reason": ending.reason}
    if time_field:
        run.body.update({time_field: run.now, "expires_at": None})
    for step in run.steps.values():
        step["expires_at"] = run.body["expires_at"]
    yield ending.event or event, run.body


def _estimate(run: Run, pieces: int) -> Usage:
    """One token a delta, and a quarter of the texts' characters read: near enough to look real."""
    turn = run.turn()
    read = len(turn.instructions) + len(turn.question) + sum(map(len, turn.outputs))
    return Usage(20 + read // 4, max(1, pieces))
