"""Events of an Assistants stream: what each one says, and what its tap does with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from ...core.fields import Wire, ident, ident_of, mapping, member
from ...core.model import MODEL_CALL, Message, Observation, Outcome, Phase, RunStep
from ..api import EventKind, Events, Exchange
from ..objects import timed
from ..text_pieces import TextPieces
from . import objects as wire
from . import pages, readers, statuses
from .envelopes import PREFIX, is_wrapped, opened
from .step_deltas import StepDeltas

_STEP_ENDS = tuple(f"thread.run.step.{status}" for status in statuses.STEP)
_STEP_STARTS = frozenset({"thread.run.step.created", "thread.run.step.in_progress"})
# Some servers keep a run as `completed` from the beginning, so each event of its stream says so.
_OPEN: Mapping[str, str] = {
    "thread.run.created": "queued",
    **{f"thread.run.{s}": s for s, (phase, _) in statuses.RUN.items() if phase is not Phase.OVER},
}

KINDS: Mapping[str, EventKind] = {
    "thread.message.delta": EventKind.TEXT_DELTA,
    "thread.message.created": EventKind.MESSAGE_BEGAN,
    "thread.message.completed": EventKind.MESSAGE_ENDED,
    "thread.message.incomplete": EventKind.MESSAGE_ENDED,
    "thread.run.step.delta": EventKind.STEP_DELTA,
    "thread.run.step.created": EventKind.STEP_BEGAN,
    **dict.fromkeys(_STEP_ENDS, EventKind.STEP_ENDED),
    "thread.run.requires_action": EventKind.CALLS_WAIT,
    "error": EventKind.ERROR,
}


def unlisted(name: str) -> EventKind | None:
    if name.startswith("thread.run.") and not name.startswith("thread.run.step."):
        return EventKind.RUN
    return EventKind.OTHER if name.startswith(PREFIX) else None


def read_event(data: Wire, seen: Observation) -> Observation:
    name, conversation_id, run_id = seen.event or "", seen.conversation_id, seen.run_id
    if name == "thread.created":
        stores = wire.vector_stores(data)
        id_ = ident(data) or None
        return replace(
            seen, conversation_id=id_, run_id=None, created_conversation=True, data_source_ids=stores
        )
    seen = replace(
        seen,
        conversation_id=conversation_id or ident(data, "thread_id") or None,
        run_id=run_id or ident(data, "run_id") or None,
    )
    if name.startswith("thread.run.step."):
        step = wire.step(data)
        begins, ends = name in _STEP_STARTS, name in _STEP_ENDS
        return replace(seen, steps=(timed(step, seen, begins=begins, ends=ends),) if step else ())
    if name.startswith("thread.run."):
        run = wire.run(data, conversation_id, run_id)
        if run is None:
            return replace(seen, run_id=run_id)
        open_status = _OPEN.get(name) if run.phase is Phase.OVER else None
        return replace(
            seen, runs=(run,), run_id=run.id, conversation_id=run.conversation_id, open_status=open_status
        )
    if name.startswith("thread.message."):
        used = wire.usage_in_ghost(data)
        if used is not None:
            return replace(seen, steps=(RunStep(f"usage/{ident(data)}", MODEL_CALL, usage=used),))
        return replace(seen, messages=tuple(_told(m, name, run_id) for m in pages.messages_of(data)))
    return seen


def _told(message: Message, name: str, run_id: str | None) -> Message:
    """As its run's own; where it ends, nothing more comes of it, though its object may still say `in_progress`."""
    if run_id is not None:
        message = replace(message, role="assistant", run_id=run_id)
    ends = KINDS.get(name) is EventKind.MESSAGE_ENDED and message.outcome is None
    return replace(message, is_growing=False, outcome=Outcome(name.rpartition(".")[2])) if ends else message


def piece(delta: Any) -> tuple[str, str] | None:
    """(message id, text) of a delta with one block of text, as nearly all have: models are larger, and the app lets go of them."""
    try:
        (block,) = delta.delta.content
        id_, text = delta.id, block.text.value
    except (AttributeError, TypeError, ValueError):
        return None
    return (id_, text) if type(id_) is str and type(text) is str and text else None


def texts_of(delta: Any) -> Iterator[tuple[str, str]]:
    """(message id, text) for each piece of a text or a refusal."""
    id_, content = ident_of(member(delta, "id")), member(member(delta, "delta"), "content")
    for block in content if isinstance(content, list) else ():
        for value in (member(member(block, "text"), "value"), member(block, "refusal")):
            if isinstance(value, str) and value:
                yield id_, value


def complete(exchange: Exchange, seen: Observation) -> Observation:
    """`thread.created` of a streamed `POST /threads/runs`: the thread's messages stand in the request."""
    thread = mapping(exchange.body, "thread")
    return replace(seen, messages=readers.sent_messages(exchange, thread, seen.conversation_id))


EVENTS = Events(
    kinds=KINDS,
    unlisted=unlisted,
    waits_mark="requires_action",
    opened=opened,
    is_wrapped=is_wrapped,
    read=read_event,
    piece=piece,
    complete=complete,
    new_texts=partial(TextPieces, texts_of),
    new_steps=StepDeltas,
)
