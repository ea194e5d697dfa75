"""/responses"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import TYPE_CHECKING, Any

from runspan.fake.clock import Clock
from runspan.fake.faults import ApiError, HttpError, Slow, refused
from runspan.fake.http import Handler, Request, Response, json_response
from runspan.fake.responses import azure, objects, script
from runspan.fake.responses.conversations import known
from runspan.fake.responses.inputs import check_calls
from runspan.fake.responses.run import ResponseRun
from runspan.fake.responses.scenarios import Scenario
from runspan.fake.store import Conversation, Object, page

if TYPE_CHECKING:
    from runspan.fake.api import Api

SSE = {"content-type": "text/event-stream; charset=utf-8"}
LOCKED = "Another process is currently operating on this conversation. Please retry in a few seconds."
BOTH = "Mutually exclusive parameters: 'conversation' and 'previous_response_id'. Ensure you are only providing one of them."


def create(api: Api, request: Request) -> Response:
    body = request.json()
    foundry = bool(azure.FOUNDRY.match(request.path))
    agent = azure.agent_of(body)
    if not (body.get("model") or body.get("prompt") or agent):
        code = "missing_required_parameter"
        raise refused("Missing required parameter: 'model'.", code=code, param="model")
    if body.get("conversation") and body.get("previous_response_id"):
        raise refused(BOTH, code="mutually_exclusive_parameters", param="conversation")
    conversation = _conversation(api, body)
    given = objects.input_items(api.state, body.get("input"))
    history = _history(api, body, conversation)
    check_calls(history, given)
    scenario = _scenario(api, request, given)
    if scenario.fault and not isinstance(scenario.fault, Slow):
        raise ApiError(scenario.fault)
    stored = body.get("store", True) is not False and scenario.stores
    id_ = api.state.new_id("resp_")
    run = ResponseRun(
        api.state,
        objects.response(id_, api.now, body, store=stored),
        body,
        scenario,
        given=given,
        history=history,
        conversation=conversation,
        foundry=foundry,
    )
    api.state.responses.put(id_, run)
    if conversation:
        conversation.active = run
    script.begin(run, api.clock.now())
    api.webhooks.watch(run)
    response = _created(api, run)
    if isinstance(scenario.fault, Slow):
        response.delay_s = scenario.fault.seconds
    return response


def find(api: Api, id_: str) -> ResponseRun:
    """The response as it is by now. What is not stored can't be found, nor what nobody could wait for."""
    run = api.state.responses.get(id_)
    if run:
        run.advance(api.clock.now())
    if run is None or run.is_gone(api.clock.now()) or not (run.is_over or run.body["background"]):
        raise ApiError(HttpError(404, f"Response with id '{id_}' not found."))
    return run


def retrieve(api: Api, request: Request, id_: str) -> Response | Object:
    query = {name: values[-1] for name, values in request.query.items()}
    if query.get("stream") != "true":
        api.clock.polled()
        return _answer(find(api, id_), request.query.get("include[]", ()))
    run = find(api, id_)
    if run.log is None or not run.body["background"]:
        lacking = "stream" if run.body["background"] else "background"
        problem = f"This response cannot be streamed because it was not created with {lacking}=true."
        raise refused(problem, code="invalid_mode", param="stream")
    after = query.get("starting_after", "-1")
    if not after.removeprefix("-").isdecimal():
        raise refused(f"Invalid 'starting_after': '{after}'.", param="starting_after")
    return Response(headers=dict(SSE), stream=_events(run, run.log, api.clock, int(after) + 1))


def cancel(api: Api, request: Request, id_: str) -> Object:
    run = find(api, id_)
    status = run.body["status"]
    if not run.body["background"]:
        raise refused("Cannot cancel a synchronous response.", param="response_id")
    if run.is_over and status != "cancelled":  # once more changes nothing
        raise refused(f"Cannot cancel a {status} response.", param="response_id")
    if not run.is_over:
        script.cancel(run, api.clock.now())
    return run.view(run.include)


def delete(api: Api, request: Request, id_: str) -> Object:
    run = find(api, id_)
    if not run.is_over:
        raise refused("Cannot delete an in-flight response.", param="response_id")
    del api.state.responses[id_]
    return {"id": id_, "object": "response.deleted", "deleted": True}  # its name as recorded


def input_items(api: Api, request: Request, id_: str) -> Object:
    run, include = find(api, id_), request.query.get("include[]", ())
    return page([objects.view_item(one, include) for one in run.context], request.query)


def compact(api: Api, request: Request) -> Object:
    """The user's messages, and one item that stands for the rest. No response: it has no status."""
    body = request.json()
    given = objects.input_items(api.state, body.get("input"))
    items = [*_history(api, body, None), *given]
    users = [one for one in items if one["type"] == "message" and one["role"] == "user"]
    compaction = {
        "id": api.state.new_id("cmp_"),
        "type": "compaction",
        "encrypted_content": "gAAAAA-encrypted",
    }
    return {
        "id": api.state.new_id("resp_"),
        "object": "response.compaction",
        "created_at": api.now,
        "output": [*users, compaction],
        "usage": objects.usage(objects.estimate(items, 40)),
    }


def input_tokens(api: Api, request: Request) -> Object:
    body = request.json()
    given = objects.input_items(api.state, body.get("input"))
    conversation = _conversation(api, body)
    items = [*_history(api, body, conversation), *given]
    return {
        "object": "response.input_tokens",
        "input_tokens": objects.estimate(items, 0).input_tokens,
    }


def _conversation(api: Api, body: Mapping[str, Any]) -> Conversation | None:
    given = body.get("conversation")
    if not given:
        return None
    conversation = known(api, given if isinstance(given, str) else given["id"])
    if conversation.active:
        raise refused(LOCKED, code="conversation_locked", param="conversation")
    return conversation


def _history(api: Api, body: Mapping[str, Any], conversation: Conversation | None) -> list[Object]:
    """What the model reads before this request's input."""
    if conversation:
        return list(conversation.items.values())
    previous_id = body.get("previous_response_id")
    if not previous_id:
        return []
    previous = api.state.responses.get(previous_id)
    if previous is None or not previous.body["store"]:
        problem = f"Previous response with id '{previous_id}' not found."
        raise refused(problem, code="previous_response_not_found", param="previous_response_id")
    previous.advance(api.clock.now())
    return [*previous.context, *previous.items]


def _scenario(api: Api, request: Request, given: list[Object]) -> Scenario:
    """The header's; else the one that waits for what the input brings; else as the playlist says."""
    body = request.json()
    names = [one.get("call_id") or one.get("approval_request_id") or "" for one in given]
    awaited = next((api.state.awaited[one] for one in names if one in api.state.awaited), None)
    if awaited is not None and api.responses.named_by(request) is None:
        return awaited
    conversation, agent = body.get("conversation") or {}, azure.agent_of(body) or {}
    ids = (
        conversation if isinstance(conversation, str) else conversation.get("id"),
        agent.get("name"),
        (body.get("prompt") or {}).get("id"),
        body.get("model"),
    )
    return api.responses.choose(request, *(one for one in ids if one))


def _created(api: Api, run: ResponseRun) -> Response:
    if run.log is not None:
        return Response(headers=dict(SSE), stream=_events(run, run.log, api.clock, 0))
    if run.body["background"]:
        return json_response(run.view(run.include))
    return Response(headers={"content-type": "application/json"}, stream=_waited_for(run, api.clock))


async def _waited_for(run: ResponseRun, clock: Clock) -> AsyncGenerator[bytes, None]:
    """A plain create answers when its response is over."""
    changed = asyncio.Event()
    while not run.is_over:
        await clock.wait(run.next_at, changed)
        run.advance(clock.now())
    yield json_response(_answer(run, ())).body


async def _events(
    run: ResponseRun, log: list[bytes], clock: Clock, start: int
) -> AsyncGenerator[bytes, None]:
    """Event `start` and those after it, as they come, until the response is over or this stream is cut."""
    changed = asyncio.Event()
    run.listeners.add(changed)
    cuts, number = run.scenario.cuts, run.streams
    run.streams += 1
    last = start + cuts[number] if number < len(cuts) else None
    sent = start
    try:
        while True:
            ready = log[sent:last]
            sent += len(ready)
            if ready:
                yield b"".join(ready)
            if sent == last:
                raise ConnectionAbortedError
            if run.is_over:
                return
            await clock.wait(run.next_at, changed)
            run.advance(clock.now())
    finally:
        run.listeners.discard(changed)


def _answer(run: ResponseRun, include: Collection[str]) -> Object:
    """A response read back has what its events lack (recorded)."""
    body = run.view({*run.include, *include})
    return {**body, "billing": {"payer": "developer"}} if run.is_over and not run.foundry else body


ROUTES: dict[str, Handler] = {
    "POST /responses": create,
    "POST /responses/compact": compact,
    "POST /responses/input_tokens": input_tokens,
    "GET /responses/*": retrieve,
    "DELETE /responses/*": delete,
    "POST /responses/*/cancel": cancel,
    "GET /responses/*/input_items": input_items,
}
