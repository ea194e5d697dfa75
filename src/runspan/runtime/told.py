"""What a stream tells belongs to its run, under whatever ids: events and deltas find the message or the step that they speak of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from msgspec.structs import replace

from ..apis.api import BEGINNINGS, ENDS, RUNS, EventKind
from ..core.model import MODEL_CALL, Message, Observation, RunStep
from .live_run import Live
from .records import StreamRef


def keyed(live: Live, stream: StreamRef, seen: Observation, kind: EventKind | None) -> Observation:
    """`seen` with keys of the run's own in the place of ids; what has come whole is not kept in pieces.

    What a whole run lists is told by its order and its words, as of a page.
    """
    if kind in RUNS:
        return seen
    if seen.messages:
        seen = replace(seen, messages=tuple(_message(live, stream, m, kind) for m in seen.messages))
    if seen.steps:
        seen = replace(seen, steps=tuple(_step(live, stream, s, kind) for s in seen.steps))
    return seen


def _message(live: Live, stream: StreamRef, message: Message, kind: EventKind | None) -> Message:
    begins, ends = kind in BEGINNINGS, kind in ENDS
    content: Hashable = tuple((p.type, p.text) for p in message.parts)
    ids, _ = stream.ids or live.ids
    key = ids.key(message.id, begins=begins, ends=ends, content=content)
    if ends and message.parts:
        stream.texts.ended(key)
    return replace(message, id=key)


def _step(live: Live, stream: StreamRef, step: RunStep, kind: EventKind | None) -> RunStep:
    if step.type == MODEL_CALL:  # told in one piece
        return step
    begins, ends = kind in BEGINNINGS, kind in ENDS
    content: Hashable = (step.message_id, tuple((c.type, c.name, c.arguments) for c in step.tool_calls))
    _, ids = stream.ids or live.ids
    key = ids.key(step.id, step.type, begins=begins, ends=ends, content=content)
    if ends:
        stream.steps.ended(key)
    return replace(step, id=key)


def piece(live: Live | None, stream: StreamRef, data: Any, *, of_steps: bool) -> None:
    """One delta; of a run that is not followed nothing is kept."""
    if live is None:
        return
    messages, steps = stream.ids or live.ids
    if of_steps:
        stream.steps.take(data, steps.open_key)
    else:
        stream.texts.take(data, messages.open_key)
