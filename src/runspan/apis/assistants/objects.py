"""Wire objects of the Assistants API (decoded JSON) -> the words of `core.model`.

Servers that imitate the API leave fields out, send null, or send another type. Nothing here raises for that: what does not have
the documented type counts as absent, and the rest of the object is still read.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from msgspec.structs import asdict

from ...core import blobs
from ...core.fields import (
    Wire,
    count,
    first,
    ident,
    items,
    kind_of,
    mapping,
    number,
    stamp,
    text,
    text_in,
    texts,
    without_nulls,
)
from ...core.jsontext import value_of
from ...core.model import (
    EMPTY,
    Agent,
    Message,
    Outcome,
    Part,
    Phase,
    Run,
    RunRequest,
    RunStep,
    ToolCall,
    Usage,
)
from ...core.run_context import KEY
from ..objects import COMMON_SETTINGS, UNKNOWN, Settings, error, settings, usage
from . import statuses
from .tool_calls import tool_call


def _last_messages(wire: Wire, key: str) -> int | None:
    return count(mapping(wire, key), "last_messages")


_SETTINGS: Settings = {
    **COMMON_SETTINGS,
    "max_completion_tokens": ("max_completion_tokens", number),
    "max_prompt_tokens": ("max_prompt_tokens", number),
    "reasoning_effort": ("reasoning_effort", text),
    "response_format": ("response_format", kind_of),
    "truncation_strategy": ("truncation_strategy", _last_messages),
}
SIDES = ("prompt", "input"), ("completion", "output")
_RUN_ENDS = ("completed_at", "failed_at", "cancelled_at")
POLLED = ("id", "status", "started_at", "expires_at")  # what is read of a poll of a live Run
_POLLED = frozenset(POLLED)


def run(wire: Wire, conversation_id: str | None = None, run_id: str | None = None) -> Run | None:
    """A Run object; `thread_id` and `run_id` of its path or stream hold, whatever it says. None without an id."""
    id_, thread = ident(wire), conversation_id or ident(wire, "thread_id")
    if run_id and (id_ or text(wire, "status")):
        id_ = run_id
    if not id_ or not thread:
        return None
    status = text(wire, "status")
    phase, outcome = statuses.RUN.get(status or "", UNKNOWN)
    started_at, expires_at = stamp(wire, "started_at"), stamp(wire, "expires_at")
    if phase is not Phase.OVER and wire.keys() <= _POLLED:
        return Run(id_, thread, status, phase, started_at=started_at, expires_at=expires_at)
    reason = text_in(wire, "incomplete_details", "reason")
    # The API has no expired_at: a Run that expired did so at its expires_at.
    ends = (*_RUN_ENDS, "expires_at") if outcome is Outcome.EXPIRED else _RUN_ENDS
    required = mapping(mapping(wire, "required_action"), "submit_tool_outputs")
    metadata = mapping(wire, "metadata")
    return Run(
        id=id_,
        conversation_id=thread,
        status=status,
        phase=phase,
        outcome=outcome,
        agent_id=text(wire, "assistant_id"),
        model=text(wire, "model"),
        instructions=text(wire, "instructions"),
        tools=tuple(items(wire, "tools")),
        required=() if phase is Phase.OVER else tuple(map(tool_call, items(required, "tool_calls"))),
        usage=usage(mapping(wire, "usage"), *SIDES),
        error=error(wire.get("last_error")),
        incomplete_reason=reason,
        finish_reason=statuses.FINISH_REASONS.get(reason or ""),
        created_at=stamp(wire, "created_at"),
        started_at=started_at,
        ended_at=first(wire, ends, stamp),
        expires_at=expires_at,
        metadata={k: v for k, v in metadata.items() if isinstance(v, str) and k != KEY},
        settings=settings(wire, _SETTINGS),
        file_ids=texts(wire, "file_ids"),
        carried=text(metadata, KEY),
    )


def run_request(body: Wire, stream: bool) -> RunRequest:
    """The body of `POST /threads/{id}/runs` or `POST /threads/runs`."""
    return RunRequest(
        model=text(body, "model"),
        agent_id=text(body, "assistant_id"),
        additional_instructions=text(body, "additional_instructions"),
        additional_messages=tuple(message(m, id_="") for m in items(body, "additional_messages")),
        stream=stream,
        settings=settings(body, _SETTINGS),
        data_source_ids=vector_stores(body) or (),
    )


def usage_in_ghost(wire: Wire) -> Usage | None:
    """Of one call of the model, in the metadata of a message that says that it belongs to no thread. None: it is a message."""
    if wire.get("thread_id") != "":
        return None
    told = value_of(mapping(wire, "metadata").get("usage"))
    return usage(told, *SIDES) if isinstance(told, dict) else None


def is_message(wire: Wire) -> bool:
    """Whether there is anything to it: an id, somebody who said it, or something that was said."""
    return bool(ident(wire) or wire.get("role") or wire.get("content"))


def message(wire: Wire, id_: str | None = None) -> Message:
    """A Message object, or a message of a request body, whose content may be a plain string."""
    parts = _parts(wire.get("content"))
    if wire.get("attachments"):
        parts += tuple(map(_attached, items(wire, "attachments")))
    if wire.get("file_ids"):
        parts += tuple(Part(ATTACHMENT, None, {"file_id": file_id}) for file_id in texts(wire, "file_ids"))
    run_id, status = ident(wire, "run_id") or None, text(wire, "status")
    reason = text_in(wire, "incomplete_details", "reason")
    return Message(
        id=ident(wire) if id_ is None else id_,
        role=intern(text(wire, "role") or ("assistant" if run_id else "user")),  # kept once for all messages
        parts=parts,
        created_at=stamp(wire, "created_at"),
        run_id=run_id,
        is_growing=status == "in_progress",
        outcome=statuses.MESSAGE.get(status or ""),
        incomplete_reason=reason,
        finish_reason=statuses.FINISH_REASONS.get(reason or ""),
    )


def _parts(content: Any) -> tuple[Part, ...]:
    """A list; of some servers, or in requests, one part alone. A part may be its text."""
    parts = content if isinstance(content, list) else [content]
    return tuple(
        Part("text", one) if isinstance(one, str) else part(one)
        for one in parts
        if isinstance(one, str | dict)
    )


def part(wire: Wire) -> Part:
    """A content part: `{"type": T, T: {...}}`, text of requests `{"type": "text", "text": "..."}`."""
    kind = text(wire, "type") or "unknown"
    body = wire.get(kind)
    if kind in ("text", "refusal"):
        if isinstance(body, str):
            return Part(kind, body)
        said = _joined(body) if isinstance(body, list) else mapping(wire, kind)
        if isinstance(said.get("value"), list):
            said = {**said, "value": _joined(said["value"])["value"]}
        more = {k: v for k, v in said.items() if v and k != "value"}
        return Part(kind, text(said, "value"), without_nulls(more) if more else EMPTY)
    if isinstance(body, str) and kind in _SHORT:
        body = {_SHORT[kind]: body}
    fields = without_nulls(body if isinstance(body, dict) else {k: v for k, v in wire.items() if k != "type"})
    blob = blobs.of_data_url(text(fields, "url") or "") if kind == "image_url" else None
    if blob is not None:  # megabytes, perhaps: they are let go here
        fields = {**{k: v for k, v in fields.items() if k != "url"}, **asdict(blob)}
    return Part(kind, None, fields)


def _joined(texts: list[Any]) -> Wire:
    """A text in pieces: strings, or texts with annotations of their own."""
    pieces: list[Wire] = [
        {"value": one} if isinstance(one, str) else one for one in texts if isinstance(one, str | dict)
    ]
    values = [value for one in pieces if (value := text(one, "value")) is not None]
    annotations = [annotation for one in pieces for annotation in items(one, "annotations")]
    return {"value": "".join(values) if values else None, "annotations": annotations}


_SHORT = {"image_url": "url", "image_file": "file_id"}  # what a lone text in place of the object is
ATTACHMENT = "attachment"


def _attached(wire: Wire) -> Part:
    """A file beside the content, with the tools that may use it; in the API's first version just its id."""
    kinds = [kind for tool in items(wire, "tools") if (kind := text(tool, "type")) is not None]
    return Part(ATTACHMENT, None, {"file_id": text(wire, "file_id"), "tools": kinds})


def agent(wire: Wire) -> Agent | None:
    id_ = text(wire, "id")
    if not id_:
        return None
    return Agent(
        id_,
        text(wire, "name"),
        text(wire, "description"),
        text(wire, "model"),
        vector_stores(wire) or (),
        texts(wire, "file_ids"),
    )


def vector_stores(wire: Wire) -> tuple[str, ...] | None:
    """Ids that `tool_resources` of an assistant, a thread or a request names for file_search; None: it says nothing of them."""
    search = mapping(mapping(wire, "tool_resources"), "file_search")
    return texts(search, "vector_store_ids") if "vector_store_ids" in search else None


_STEP_ENDS = ("completed_at", "failed_at", "cancelled_at", "expired_at")


def step(wire: Wire) -> RunStep | None:
    id_, details = ident(wire), mapping(wire, "step_details")
    if not id_ and not details:
        return None
    status = text(wire, "status")
    return RunStep(
        id=id_,
        type=text(wire, "type") or text(details, "type") or "unknown",
        status=status,
        outcome=statuses.STEP.get(status or ""),
        message_id=ident(mapping(details, "message_creation"), "message_id") or None,
        tool_calls=tuple(map(tool_call, items(details, "tool_calls"))),
        error=error(wire.get("last_error")),
        usage=usage(mapping(wire, "usage"), *SIDES),
        created_at=stamp(wire, "created_at"),
        ended_at=first(wire, _STEP_ENDS, stamp),
    )


def submitted(body: Wire) -> tuple[ToolCall, ...]:
    """The body of `submit_tool_outputs`."""
    return tuple(
        ToolCall(ident(call, "tool_call_id"), output=text(call, "output") or "")
        for call in items(body, "tool_outputs")
    )
