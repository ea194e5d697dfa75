"""Makes the calls of a recording with the official client: each recorded request becomes the typed call that sends it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..apis.api import Match
from ..apis.assistants.routes import match
from .recording import Exchange, bare, is_stream

# operation of adapters.assistants -> (method of client.beta, name of the object's id there)
_CALLS: Mapping[str, tuple[str, str]] = {
    "create_agent": ("assistants.create", ""),
    "list_agents": ("assistants.list", ""),
    "get_agent": ("assistants.retrieve", "assistant_id"),
    "update_agent": ("assistants.update", "assistant_id"),
    "delete_agent": ("assistants.delete", "assistant_id"),
    "create_thread": ("threads.create", ""),
    "get_thread": ("threads.retrieve", ""),
    "update_thread": ("threads.update", ""),
    "delete_thread": ("threads.delete", ""),
    "create_message": ("threads.messages.create", ""),
    "list_messages": ("threads.messages.list", ""),
    "get_message": ("threads.messages.retrieve", "message_id"),
    "update_message": ("threads.messages.update", "message_id"),
    "delete_message": ("threads.messages.delete", "message_id"),
    "invoke_agent": ("threads.runs.create", ""),
    "list_thread_runs": ("threads.runs.list", ""),
    "get_thread_run": ("threads.runs.retrieve", ""),
    "update_thread_run": ("threads.runs.update", ""),
    "cancel_thread_run": ("threads.runs.cancel", ""),
    "submit_tool_outputs": ("threads.runs.submit_tool_outputs", ""),
    "list_run_steps": ("threads.runs.steps.list", ""),
    "get_run_step": ("threads.runs.steps.retrieve", "step_id"),
}


def play(client: Any, exchanges: list[Exchange]) -> Iterator[str]:
    """Each call in order; yields how it ended, in one line. An error that was recorded comes out again and is shown."""
    import openai

    for exchange in exchanges:
        request = exchange["request"]
        found = match(request["method"], bare(request["path"]))
        name = _name(found) if found else f"{request['method'].lower()} {bare(request['path'])}"
        try:
            result = _call(client, found, name, exchange)
            yield f"{name}: {result}"
        except openai.APIError as error:
            yield f"{name}: {type(error).__name__} {getattr(error, 'status_code', '')}".rstrip()


def _name(found: Match) -> str:
    is_new_thread = found.route.starts_run and found.conversation_id is None
    return "threads.create_and_run" if is_new_thread else _CALLS[found.route.operation][0]


def _call(client: Any, found: Match | None, name: str, exchange: Exchange) -> str:
    request = exchange["request"]
    body = request.get("body")
    if found is None:  # files, vector stores: sent as they were recorded
        verb = getattr(client, request["method"].lower())
        options = {"body": body if isinstance(body, dict) else {}} if request["method"] == "POST" else {}
        verb(bare(request["path"]), cast_to=object, **options)
        return "ok"
    call: Callable[..., Any] = client.beta
    for part in name.split("."):
        call = getattr(call, part)
    arguments = _arguments(call, found, body if isinstance(body, dict) else {}, request.get("query") or {})
    if is_stream(exchange):
        events = [event.event for event in call(**arguments, stream=True)]
        return f"{len(events)} events, last {events[-1]}"
    result = call(**arguments)
    return str(getattr(result, "status", None) or getattr(result, "id", None) or "ok")


def _arguments(
    call: Callable[..., Any], found: Match, body: Mapping[str, Any], query: Mapping[str, Any]
) -> dict[str, Any]:
    """Ids of the path, then the body and query by name; what the installed client does not know goes as extra."""
    known = set(inspect.signature(call).parameters)
    object_id = _CALLS[found.route.operation][1]
    ids = {"thread_id": found.conversation_id, "run_id": found.run_id, object_id: found.object_id}
    arguments: dict[str, Any] = {k: v for k, v in ids.items() if k in known and v is not None}
    body = {k: v for k, v in body.items() if k != "stream"}
    query = {k: int(v) if k == "limit" else v for k, v in query.items() if k != "api-version"}
    arguments |= {k: v for k, v in (body | query).items() if k in known}
    for name, extra in (("extra_body", body), ("extra_query", query)):
        unknown = {k: v for k, v in extra.items() if k not in known}
        if unknown:
            arguments[name] = unknown
    return arguments
