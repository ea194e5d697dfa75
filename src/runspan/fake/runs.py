"""/threads/runs, /threads/*/runs and their steps"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from runspan.fake import objects, script
from runspan.fake.clock import Clock
from runspan.fake.course import sse
from runspan.fake.faults import SERVER_ERROR, ApiError, HttpError, Slow, refused
from runspan.fake.http import Handler, Request, Response, json_response
from runspan.fake.run import Run
from runspan.fake.store import Object, Thread, page
from runspan.fake.threads import add_message, find, new_thread

if TYPE_CHECKING:
    from runspan.fake.api import Api

DONE = sse("done", "[DONE]")
STREAM_ERROR = sse("error", json.dumps(HttpError(500, SERVER_ERROR, type="server_error").body()))


def create(api: Api, request: Request, thread_id: str) -> Response:
    thread = find(api, thread_id)
    if thread.active:
        raise refused(f"Thread {thread_id} already has an active run {thread.active.body['id']}.")
    return _create(api, request, thread, request.json())


def create_thread_and_run(api: Api, request: Request) -> Response:
    body = request.json()
    thread = new_thread(api, body.get("thread") or {})
    return _create(api, request, thread, body, is_new=True)


def _create(
    api: Api, request: Request, thread: Thread, body: Mapping[str, Any], *, is_new: bool = False
) -> Response:
    if not body.get("assistant_id"):
        code = "missing_required_parameter"
        raise refused("Missing required parameter: 'assistant_id'.", code=code, param="assistant_id")
    assistant = api.state.assistants.find(body["assistant_id"])
    scenario = api.scenarios.choose(request, thread.body["id"], assistant["id"])
    if scenario.fault and not isinstance(scenario.fault, Slow):
        raise ApiError(scenario.fault)
    id_ = api.state.new_id("run_")
    made = objects.run(id_, api.now, thread.body["id"], assistant, body, int(scenario.lifetime_s))
    more = body.get("additional_messages") or ()
    if not (thread.messages or more or made["instructions"]):
        problem = "Run creation requires a Thread with a user message or an assistant with instructions."
        raise refused(problem, code="invalid_thread")
    for message in more:
        add_message(api, thread, message)
    results = objects.INCLUDE_RESULTS in request.query.get("include[]", ())
    run = Run(api.state, thread, made, scenario, results)
    thread.runs.put(id_, run)
    thread.active = run
    if body.get("stream"):
        run.outbox = [run.event("thread.created", thread.body)] if is_new else []
    script.begin(run, api.clock.now())
    response = _streamed(api, run) if body.get("stream") else _answered(run)
    if isinstance(scenario.fault, Slow):
        response.delay_s = scenario.fault.seconds
    return response


def retrieve(api: Api, request: Request, thread_id: str, run_id: str) -> Response:
    api.clock.polled()
    return _answered(find(api, thread_id).runs.find(run_id))


def update(api: Api, request: Request, thread_id: str, run_id: str) -> Response:
    run = find(api, thread_id).runs.find(run_id)
    run.body["metadata"] = objects.metadata(request.json())
    return _answered(run)


def list_(api: Api, request: Request, thread_id: str) -> Object:
    return page([run.body for run in find(api, thread_id).runs.values()], request.query)


def cancel(api: Api, request: Request, thread_id: str, run_id: str) -> Response:
    run = find(api, thread_id).runs.find(run_id)
    if run.is_over or run.body["status"] == "cancelling":
        raise refused(f"Cannot cancel run with status '{run.body['status']}'.")
    script.cancel(run, api.clock.now())
    return _answered(run)


def submit_tool_outputs(api: Api, request: Request, thread_id: str, run_id: str) -> Response:
    run, body = find(api, thread_id).runs.find(run_id), request.json()
    action = run.body["required_action"]
    if action is None:
        raise refused(f'Runs in status "{run.body["status"]}" do not accept tool outputs.')
    wanted = [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]
    given = {one.get("tool_call_id", ""): one.get("output") or "" for one in body.get("tool_outputs") or ()}
    if set(given) != set(wanted):
        raise refused(f"Expected tool outputs for call_ids {wanted}, got {list(given)}")
    if body.get("stream"):
        run.outbox = []
    script.submit(run, {id_: given[id_] for id_ in wanted}, api.clock.now())
    return _streamed(api, run) if body.get("stream") else _answered(run)


def list_steps(api: Api, request: Request, thread_id: str, run_id: str) -> Object:
    return page(list(find(api, thread_id).runs.find(run_id).steps.values()), request.query)


def retrieve_step(api: Api, request: Request, thread_id: str, run_id: str, step_id: str) -> Object:
    return find(api, thread_id).runs.find(run_id).steps.find(step_id)


def _answered(run: Run) -> Response:
    response = json_response(objects.view(run.body, v1=run.scenario.era == "v1"))
    if run.scenario.poll_after_ms is not None:
        response.headers["openai-poll-after-ms"] = str(run.scenario.poll_after_ms)
    return response


def _streamed(api: Api, run: Run) -> Response:
    return Response(
        headers={"content-type": "text/event-stream; charset=utf-8"}, stream=_events(run, api.clock)
    )


async def _events(run: Run, clock: Clock) -> AsyncGenerator[bytes, None]:
    """What the run's outbox gets, as it comes, until the run is over or waits for tool outputs."""
    changed = asyncio.Event()
    run.listeners = {changed}
    events = run.outbox if run.outbox is not None else []
    cut, broken = run.scenario.cut_stream_after, run.scenario.stream_error_after
    last = min((n for n in (cut, broken) if n is not None), default=None)
    sent = 0
    try:
        while True:
            ready = events[: None if last is None else last - sent]
            events.clear()
            sent += len(ready)
            if ready:
                yield b"".join(ready)
            if sent == cut:
                raise ConnectionAbortedError
            if sent == broken:
                yield STREAM_ERROR
                return
            if run.is_over or run.body["status"] == "requires_action":
                yield DONE
                return
            await clock.wait(run.next_at, changed)
            run.advance(clock.now())
    finally:
        run.outbox = None
        run.listeners.discard(changed)


ROUTES: dict[str, Handler] = {
    "POST /threads/runs": create_thread_and_run,
    "POST /threads/*/runs": create,
    "GET /threads/*/runs": list_,
    "GET /threads/*/runs/*": retrieve,
    "POST /threads/*/runs/*": update,
    "POST /threads/*/runs/*/cancel": cancel,
    "POST /threads/*/runs/*/submit_tool_outputs": submit_tool_outputs,
    "GET /threads/*/runs/*/steps": list_steps,
    "GET /threads/*/runs/*/steps/*": retrieve_step,
}
