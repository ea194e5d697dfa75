"""Wire objects of the Responses API (decoded JSON) -> the words of `core.model`.

Servers that imitate the API leave fields out, send null, or send another type. Nothing here raises for that: what does not have
the documented type counts as absent, and the rest of the object is still read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ...core.fields import (
    Wire,
    flag,
    ident,
    items,
    mapping,
    number,
    stamp,
    text,
    text_in,
    texts,
    without_nulls,
)
from ...core.model import Agent, Outcome, Phase, Run, RunRequest
from ...core.run_context import KEY
from ..objects import COMMON_SETTINGS, UNKNOWN, Settings, error, settings, usage
from . import items as items_of
from . import parts, statuses

RESPONSE = "response"
POLLED = ("id", "status")  # what is read of a poll of a live one
_POLLED = frozenset(POLLED)
SIDES = ("input", "prompt"), ("output", "completion")  # some servers have the words of the chat API


def run(wire: Wire, conversation_id: str | None = None, run_id: str | None = None) -> Run | None:
    """A Response object; of a poll of a live one `POLLED` alone. None: it is something else.

    `run_id` of its path or stream holds, whatever it says: some gateways give a response another id in each answer.
    """
    id_ = ident(wire)
    if run_id and (id_ or text(wire, "status")):
        id_ = run_id
    if not id_ or text(wire, "object") not in (None, RESPONSE):
        return None
    status = text(wire, "status")
    if status is None and (wire.get("output") or wire.get("usage")):
        status = "completed"  # some servers have no word for it
    phase, outcome = statuses.RUN.get(status or "", UNKNOWN)
    if wire.keys() <= _POLLED:
        return Run(id_, id_, status, phase, outcome)
    reason = text_in(wire, "incomplete_details", "reason")
    agent, metadata = agent_of(wire), mapping(wire, "metadata")
    is_over = phase is Phase.OVER
    asked = items_of.asked(items(wire, "output")) if outcome is Outcome.COMPLETED else ()
    return Run(
        id=id_,
        conversation_id=id_,
        status=status,
        phase=phase,
        outcome=outcome,
        agent_id=agent.id if agent else None,
        model=text(wire, "model"),
        instructions=instructions(wire),
        tools=tuple(map(_tool, items(wire, "tools"))),
        required=asked,
        usage=usage(mapping(wire, "usage"), *SIDES) if is_over else None,
        error=error(wire.get("error")),
        incomplete_reason=reason,
        finish_reason=statuses.FINISH_REASONS.get(reason or ""),
        created_at=stamp(wire, "created_at"),
        ended_at=stamp(wire, "completed_at"),
        metadata={k: v for k, v in metadata.items() if isinstance(v, str) and k != KEY},
        settings=settings(wire, _SETTINGS_OF_RUN),
        carried=text(metadata, KEY),
        belongs_to=conversation(wire),
    )


def output(wire: Wire, of: Run) -> items_of.Output:
    """What it put out, once it is over: until then the list grows. Some servers say no more than its text."""
    if of.phase is not Phase.OVER:
        return (), ()
    found = items(wire, "output")
    said = None if found else text(wire, "output_text") or text(wire, "output")
    return items_of.output([{"type": items_of.MESSAGE, "content": said}] if said else found, of.id)


def request(body: Wire, stream: bool) -> RunRequest:
    """The body of `POST /responses`, without its texts."""
    agent, is_background = agent_of(body), body.get("background") is True
    window = text_in(body, "background_options", "completion_window") or statuses.DEFAULT_WINDOW
    return RunRequest(
        model=text(body, "model"),
        agent_id=agent.id if agent else None,
        agent_name=agent.name if agent else None,
        stream=stream,
        settings=settings(body, _SETTINGS_OF_REQUEST),
        data_source_ids=tuple(
            id_ for tool in items(body, "tools") for id_ in texts(tool, "vector_store_ids")
        ),
        is_model_call=agent is None,
        is_immediate=not is_background,
        conversation_id=conversation(body),
        continues=text(body, "previous_response_id"),
        window_s=statuses.WINDOWS_S.get(window) if is_background else None,
    )


def conversation(wire: Wire) -> str | None:
    """Its id: alone, or in an object."""
    return text(wire, "conversation") or ident(mapping(wire, "conversation")) or None


def agent_of(wire: Wire) -> Agent | None:
    """The agent that is asked (Azure), or the stored prompt."""
    for key in ("agent_reference", "agent"):
        of = mapping(wire, key) if key in wire else None
        if of and (name := text(of, "name") or text(of, "id")):
            version = text(of, "version")
            return Agent(f"{name}:{version}" if version else name, name)
    prompt = text_in(wire, "prompt", "id")
    return Agent(prompt, prompt) if prompt else None


def instructions(wire: Wire) -> str | None:
    """A text, or input items whose texts are joined."""
    said = wire.get("instructions")
    if isinstance(said, list):
        return "\n\n".join(parts.plain(item.get("content")) for item in items(wire, "instructions")) or None
    return said if isinstance(said, str) else None


# ---------------------------------------------------------------- tools and settings

_SECRETS = ("headers", "authorization")  # of servers of tools


def _tool(wire: Wire) -> Mapping[str, object]:
    """Flat on this wire; nested, as the run model has them."""
    kind = text(wire, "type") or "unknown"
    said = {k: v for k, v in without_nulls(dict(wire)).items() if k != "type" and k not in _SECRETS}
    return {"type": kind, kind: said}


def _format(wire: Wire, key: str) -> str | None:
    return text_in(mapping(wire, key), "format", "type")


_COMMON: Settings = {
    **COMMON_SETTINGS,
    "max_output_tokens": ("max_completion_tokens", number),
    "max_tool_calls": ("max_tool_calls", number),
    "reasoning": ("reasoning_effort", partial(text_in, inner="effort")),
    "text": ("response_format", _format),
}
_SETTINGS_OF_REQUEST: Settings = {
    **_COMMON,
    "background": ("background", flag),
    "background_options": ("completion_window", partial(text_in, inner="completion_window")),
    "service_tier": ("service_tier", text),
}
_SETTINGS_OF_RUN: Settings = {**_COMMON, "service_tier": ("served_tier", text)}
