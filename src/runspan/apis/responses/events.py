"""Events of a stream of a response: what each one says, and what its tap does with it.

| sent | name here | holds |
|---|---|---|
| `response.created`, `.queued`, `.in_progress`, `.completed` ... | the same | the response |
| `response.output_item.added`, `.done` | `message.added` ... for messages, else `item.added` ... | the item |
| `response.output_text.delta` | the same | a piece of a message's text |
| `response.output_text.done`, `response.content_part.done` | the same | the text of its pieces, which some servers leave out |
| a response object in place of a stream | `response.` and its status | itself |
| `{"event": NAME, "data": EVENT}` around any of these, by gateways | that of the event | what the event holds |
| all others | | nothing that these don't tell, too |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from ...core.fields import Wire, ident_of, member
from ...core.jsontext import dumps
from ...core.model import Observation, Phase
from ..api import EventKind, Events
from ..objects import NOTHING, field_of, timed, unwrapped
from ..text_pieces import TextPieces
from . import items, readers, statuses
from . import objects as wire

PREFIX = "response."
_ITEM, _TEXT = "response.output_item.", "output_text"
ERROR = "error"

KINDS: Mapping[str, EventKind] = {
    "response.output_text.delta": EventKind.TEXT_DELTA,
    "response.output_text.done": EventKind.TEXT_WHOLE,
    "response.content_part.done": EventKind.TEXT_WHOLE,
    "message.added": EventKind.MESSAGE_BEGAN,
    "message.done": EventKind.MESSAGE_ENDED,
    "item.added": EventKind.STEP_BEGAN,
    "item.done": EventKind.STEP_ENDED,
    "response.created": EventKind.RUN,
    **{PREFIX + status: EventKind.RUN for status in statuses.RUN},
    "response.completed": EventKind.CALLS_WAIT,
    ERROR: EventKind.ERROR,
}
# Some servers keep a response as `completed` from the beginning, so the first events of its stream say so.
_OPEN: Mapping[str, str] = {
    "response.created": "queued",
    **{PREFIX + s: s for s, (phase, _) in statuses.RUN.items() if phase is not Phase.OVER},
}


def unlisted(name: str) -> EventKind | None:
    if name.startswith(_ITEM):
        return None
    return EventKind.SILENT if name.startswith(PREFIX) else None


def opened(name: Any, data: Any) -> tuple[str, Any]:
    """(name here, object) of what came: a typed event, a dict, or its JSON text. The name is "" where nothing tells it."""
    name, data = unwrapped(name, data)
    told = field_of(data, "type")
    name = told if isinstance(told, str) else name if isinstance(name, str) else ""
    if name.startswith(_ITEM):
        item = field_of(data, "item")
        what = items.MESSAGE if field_of(item, "type") == items.MESSAGE else "item"
        return f"{what}.{name.removeprefix(_ITEM)}", _named(item, field_of(data, "output_index"))
    response = field_of(data, "response")
    if response is not None and (name.startswith(PREFIX) or not name):
        return name or f"{PREFIX}{field_of(response, 'status')}", response
    if field_of(data, "object") == wire.RESPONSE:
        return f"{PREFIX}{field_of(data, 'status')}", data
    return name or (ERROR if field_of(data, ERROR) is not None else ""), data


def _named(item: Any, place: Any) -> Any:
    """An item without an id, under the key that it has in the whole. What asks the app is left as the app got it."""
    if field_of(item, "id") or field_of(item, "call_id") or not isinstance(place, int):
        return item
    if isinstance(item, dict):
        return {**item, "id": items.key_at(place)}
    unknown = getattr(item, "__pydantic_extra__", None) or NOTHING
    return {**getattr(item, "__dict__", NOTHING), **unknown, "id": items.key_at(place)}


def is_wrapped(data: Any) -> bool:
    return any(field_of(data, name) is not None for name in ("response", "item", "data"))


def read_event(data: Wire, seen: Observation) -> Observation:
    """Each response has a log of its own, named like itself."""
    name, run_id = seen.event or "", seen.run_id
    if not name.startswith(PREFIX):
        messages, found = items.output((data,), run_id or "")
        begins = name.endswith(".added")
        steps = tuple(timed(step, seen, begins=begins, ends=not begins) for step in found)
        return replace(seen, conversation_id=run_id, messages=messages, steps=steps)
    run = wire.run(data, None, run_id)
    if run is None:
        return replace(seen, conversation_id=run_id)
    open_status = _OPEN.get(name) if run.phase is Phase.OVER else None
    told = {"runs": (run,), "open_status": open_status} if open_status else readers.said(run, data)
    return replace(seen, run_id=run.id, conversation_id=run.id, **told)


def piece(delta: Any) -> tuple[str, str] | None:
    """(id of the message, text) of a typed event: the event is larger, and the app lets go of it."""
    id_, text = member(delta, "item_id"), member(delta, "delta")
    return (id_, text) if type(id_) is str and type(text) is str else None


def texts_of(delta: Any) -> Iterator[tuple[str, str]]:
    """(message id, text) of a delta; none where it has no text."""
    text = member(delta, "delta")
    if isinstance(text, str):
        yield ident_of(member(delta, "item_id")), text


def whole_of(event: Any) -> tuple[str, str] | None:
    """(message id, text) of an event that holds the text of all pieces."""
    if member(event, "delta") is not None:
        return None
    part = member(event, "part")
    text = member(event if part is None or member(part, "type") != _TEXT else part, "text")
    return (ident_of(member(event, "item_id")), text) if isinstance(text, str) else None


def asking(step: bytes, run_id: str) -> bytes:
    """A response that asks for what this item asks for; it goes on, but the app may run the tool by now."""
    return b'{"id":%s,"status":"completed","output":[%s]}' % (dumps(run_id).encode(), step)


EVENTS = Events(
    kinds=KINDS,
    unlisted=unlisted,
    waits_mark='"call_id"',
    opened=opened,
    is_wrapped=is_wrapped,
    read=read_event,
    piece=piece,
    complete=readers.sent_with,
    new_texts=partial(TextPieces, texts_of, whole_of=whole_of),
    asking=asking,
    name_field="type",
    data_field=None,
)
