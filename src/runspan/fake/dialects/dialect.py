"""What makes a server of the Assistants wire a dialect of it: data, and small functions from one object to another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from runspan.fake.course import sse
from runspan.fake.store import Object

View: TypeAlias = Callable[[Object], Object]
Event: TypeAlias = "tuple[str, Object]"

STAMPS = (
    "created_at",
    "started_at",
    "expires_at",
    "completed_at",
    "failed_at",
    "cancelled_at",
    "incomplete_at",
)


def _same(body: Object) -> Object:
    return body


def _alone(name: str, data: Object) -> Iterator[Event]:
    yield name, data


def inside(name: str, data: str) -> bytes:
    """No `event:` line: the name stands in the data, beside the object."""
    if not data.startswith("{"):  # [DONE]
        return f"data: {data}\n\n".encode()
    return f'data: {{"data":{data},"event":{json.dumps(name)}}}\n\n'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One server. What is not said is as OpenAI has it.

    `view` and `events` get copies, so they may change what they are given.
    """

    about: str  # one line for people
    view: View = _same  # one object: assistant, thread, message, run, step, delta
    events: Callable[[str, Object], Iterator[Event]] = _alone  # what is sent for one event
    frame: Callable[[str, str], bytes] = sse  # (name, data as JSON) -> one event on the wire
    lacks: frozenset[str] = frozenset()  # routes that it does not serve
    rename: Callable[[str], str] | None = None  # an id as it gives it; the other way is remembered
    blocks: bool = False  # a run is created once it is over
    streams: bool = True  # False: it answers JSON where a stream is asked for
    sorts: bool = True  # False: it lists in the order of creation, whatever is asked for
    renames_responses: bool = False  # a response has another id in each answer
