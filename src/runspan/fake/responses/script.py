"""The course of a response as generators that read like a recorded event stream.

Polling plays the same script and drops the events, so what is polled and what is streamed cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence

from runspan.fake.answers import decide
from runspan.fake.course import Script
from runspan.fake.responses import objects
from runspan.fake.responses.items import Ends, write
from runspan.fake.responses.run import ResponseRun
from runspan.fake.responses.scenarios import Ending, Item, Message, Output
from runspan.fake.scenarios import Auto, CodeInterpreter, FunctionCall, Logs, ToolCall, Tools
from runspan.fake.scenarios import Message as RunMessage
from runspan.fake.tools import search

# What the app answers with the next create, and under which of its names.
ANSWERED = {
    "function_call": "call_id",
    "custom_tool_call": "call_id",
    "computer_call": "call_id",
    "local_shell_call": "call_id",
    "shell_call": "call_id",
    "apply_patch_call": "call_id",
    "mcp_approval_request": "id",
}


def begin(run: ResponseRun, now: float) -> None:
    """Start its life: afterwards it is queued, or in progress where nothing runs in the background."""
    run.play(_live(run), now)


def cancel(run: ResponseRun, now: float) -> None:
    """Over at once, and nothing of it is kept (recorded)."""
    run.play(_cancel(run), now)


def _live(run: ResponseRun) -> Script:
    yield "response.created", {"response": run.body}
    if run.body["background"]:
        yield "response.queued", {"response": run.body}
        yield run.scenario.queue_s
        run.body["status"] = "in_progress"
    yield "response.in_progress", {"response": run.body}
    ending, items, then = run.scenario.ending, list(run.scenario.items), run.scenario.then
    while items:
        item = items.pop(0)
        if isinstance(item, Auto):
            items[:0] = _decided(run, item)
            continue
        yield from write(run, item, _end_of(ending, is_last=not items))
    for one in run.items:
        if then and one["type"] in ANSWERED:
            run.state.awaited.put(one[ANSWERED[one["type"]]], then)
    yield from _finish(run, ending)


def _end_of(ending: Ending, *, is_last: bool) -> Ends:
    if is_last and ending.open_item:
        return "open"
    return "incomplete" if is_last and ending.status == "incomplete" else "completed"


def _decided(run: ResponseRun, auto: Auto) -> Sequence[Output]:
    """What a helpful model would do with the turn, in this API's items. A call of a function ends it."""
    turn = run.turn()
    phases = (RunMessage(seconds=auto.seconds),) if turn.outputs else decide(turn, auto)
    items: list[Output] = []
    for phase in phases:
        if isinstance(phase, Tools):
            calls = [_item(run, call, phase.seconds) for call in phase.calls]
            items += calls
            if any(isinstance(call, FunctionCall) for call in calls):
                return items
        else:
            items.append(Message(seconds=phase.seconds))
    return items


def _item(run: ResponseRun, call: ToolCall, seconds: float) -> Output:
    if isinstance(call, FunctionCall):
        return call
    if isinstance(call, CodeInterpreter):
        outputs = [{"type": "logs", "logs": one.logs} for one in call.outputs if isinstance(one, Logs)]
        fields = {"code": call.input, "container_id": "cntr_fake", "outputs": outputs}
        return Item("code_interpreter_call", fields, seconds)
    question = run.turn().question
    stores = [id_ for tool in run.body["tools"] for id_ in tool.get("vector_store_ids") or ()]
    found = search(run.state, stores, question)
    run.searched = tuple({"content": [{"text": one.content}]} for one in found)
    results = [
        {"file_id": one.file_id, "filename": one.file_name, "score": one.score, "text": one.content}
        for one in found
    ]
    return Item("file_search_call", {"queries": [question], "results": results}, seconds)


def _cancel(run: ResponseRun) -> Script:
    run.items.clear()
    run.body["status"] = "cancelled"
    # No event of this name is known to clients; the stream ends so, and only its data say cancelled.
    yield "response.failed", {"response": run.body}


def _finish(run: ResponseRun, ending: Ending) -> Script:
    body = run.body
    body["status"] = ending.status
    if body["service_tier"] == "auto":
        body["service_tier"] = "default"
    if ending.status == "failed":
        body["error"] = {"code": ending.code, "message": ending.message}
        if ending.error_event:
            details = {"code": ending.code, "message": ending.message, "param": None}
            yield (
                "error",
                {"error": {"type": ending.code, **details}} if ending.error_event == "nested" else details,
            )
    else:
        body["usage"] = objects.usage(run.scenario.usage or objects.estimate(run.context, run.pieces))
    if ending.status == "completed":
        body["completed_at"] = run.now
    if ending.reason:
        body["incomplete_details"] = {"reason": ending.reason}
    for item in run.items:
        if item.get("status") == "in_progress":
            item["status"] = "incomplete"
    body["output"] = run.items
    yield f"response.{ending.status}", {"response": body}
