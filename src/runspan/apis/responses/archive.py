"""Exported objects of the Responses API: responses, their input items, conversations and the items of these.

Items do not say where they belong, so they come with what they belong to:
`{"response": ID or object, "input_items": [...] or page}`, `{"conversation": ID or object, "items": [...] or page}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.fields import Wire, ident, mapping, stamp, text
from ...core.model import Phase
from ..archives import (
    Archive,
    Archived,
    Kind,
    Past,
    PastCall,
    Read,
    Turn,
    Unreadable,
    When,
    conversation,
    id_or_object,
    path_of,
    rows,
)
from . import API, objects, tool_calls

STAMPS = ("created_at", "completed_at")
WRAP = 'write {"conversation": ID, "items": [...]} or {"response": ID, "input_items": [...]}'
_ASKED = (  # fields of a response that its request had
    *("model", "background", "background_options", "previous_response_id", "conversation", "prompt"),
    *("agent", "agent_reference"),
)


def read(wire: Wire) -> Iterator[Read] | None:
    """The objects in it."""
    if "input_items" in wire and "response" in wire:
        return _with_inputs(wire)
    if "items" in wire and "conversation" in wire:
        return _with_items(wire)
    kind = text(wire, "object")
    if kind == objects.RESPONSE:
        return iter([_response(wire)])
    if kind == "response.compaction":
        return iter([Unreadable("a compaction, which is no run")])
    if kind == "conversation":
        return iter([conversation(wire, "conversation")])
    is_other = text(wire, "type") in ("message", "reasoning")
    is_item = kind is None and (is_other or tool_calls.is_call(wire) or tool_calls.is_output(wire))
    return iter([Unreadable(f"an item without its conversation or response: {WRAP}")]) if is_item else None


def _response(wire: Wire) -> Read:
    id_ = ident(wire)
    run = objects.run(wire)
    if not id_ or run is None:
        return Unreadable("a response without an id")
    place = objects.conversation(wire) or id_
    return Archived(
        Kind.RUN, wire, id_, place, id_, stamp(wire, "created_at"), is_final=run.phase is Phase.OVER
    )


def _with_inputs(wire: Wire) -> Iterator[Read]:
    id_, response = id_or_object(wire, "response")
    if not id_:
        yield Unreadable("input items without the id of their response")
        return
    if response:
        yield _response(response)
    place = objects.conversation(response) or id_
    given = _oldest_first(wire["input_items"])
    yield Archived(Kind.INPUTS, {"items": given}, id_, place, id_)


def _oldest_first(listed: Any) -> list[Wire]:
    """A page is newest first, as the API lists unless asked otherwise (`"order": "asc"` beside `data`). A list is as it is."""
    found = rows(listed)
    return found[::-1] if isinstance(listed, dict) and listed.get("order") != "asc" else found


def _with_items(wire: Wire) -> Iterator[Read]:
    id_, of = id_or_object(wire, "conversation")
    if not id_:
        yield Unreadable("items without the id of their conversation")
        return
    at = stamp(of, "created_at")
    if of:
        yield conversation(of, "conversation")
    for n, item in enumerate(_oldest_first(wire["items"])):
        run_id = ident(item, "response_id") or ident(mapping(item, "created_by"), "response_id")
        is_answer = text(item, "role") == "assistant" or (
            text(item, "role") is None and not tool_calls.is_output(item)
        )
        yield Archived(Kind.MESSAGE, item, ident(item) or f"#{n}", id_, run_id, at, is_answer=is_answer)


# ---------------------------------------------------------------- the calls that bring them


def calls(past: Past) -> Iterator[PastCall]:
    """The request that made the response, with what is known of it, and the response."""
    run = past.run
    asked = {key: run[key] for key in _ASKED if run.get(key) is not None}
    if past.inputs is not None:
        asked["input"] = list(past.inputs)
    created = {"id": past.run_id, "object": objects.RESPONSE, "created_at": run.get("created_at")}
    status = "queued" if run.get("background") is True else "in_progress"
    yield PastCall(When.CREATED, "post", "/responses", {**created, "status": status}, asked)
    yield PastCall(When.LAST, "get", path_of("responses", past.run_id), run)


def turn(of: Turn) -> Past:
    """A response that put out these items."""
    run = {
        "id": of.run_id,
        "object": objects.RESPONSE,
        "status": "completed",
        "conversation": {"id": of.place},
        "created_at": of.began_at,
        "completed_at": of.ended_at,
        "output": list(of.answers),
    }
    return Past(run, of.run_id, of.place, inputs=of.questions)


ARCHIVE = Archive(
    api=API.variants["all"] or API,
    read=read,
    calls=calls,
    turn=turn,
    agent_of=lambda run: None,
    stamps=STAMPS,
)
