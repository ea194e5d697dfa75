"""What of a result is copied on the caller's thread, and what is left for the worker.

Copied, because apps do change what they get: the API's own guide has them replace citations in `message.content[0].text.value` in
place. Pydantic's serializer does it in native code (4 us a message). Left alone: of a poll of a live run all
but its scalars, of a page of runs those that are not ours.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from ..apis.api import Api
from ..core.fields import member
from ..core.model import Phase
from ..core.run_context import KEY
from ..runtime.records import Page, Payload

_LIVE = (Phase.QUEUED, Phase.ACTIVE, Phase.CANCELLING)  # nothing but the status is new in such a poll
_NOTHING: Mapping[str, Any] = {}


def copy(obj: Any) -> Payload:
    """JSON bytes of a result: a model of the client, a dict (`cast_to=object`), or anything that says its fields."""
    if obj is None or isinstance(obj, str | int | float):
        return None
    serializer = getattr(type(obj), "__pydantic_serializer__", None)
    if serializer is not None:
        try:
            data: bytes = serializer.to_json(obj, warnings=False)
        except Exception:  # a field holds what JSON does not know: fall back to a slower, forgiving way
            return _dumps(obj)
        return data
    return _dumps(obj)


def _dumps(obj: Any) -> bytes:
    return json.dumps(obj, default=_fields, ensure_ascii=False).encode("utf-8", "replace")


def _fields(obj: Any) -> Any:
    """Pydantic 1 models and strangers."""
    fields = getattr(obj, "__dict__", None)
    extra = getattr(obj, "model_extra", None) or {}
    return {**fields, **extra} if isinstance(fields, dict) else str(type(obj).__name__)


def word(obj: Any, name: str) -> str | None:
    """A field that is to be looked up somewhere: servers send lists where words belong."""
    value = member(obj, name)
    return value if isinstance(value, str) else None


@lru_cache
def _decoder(api: Api) -> Callable[[bytes], Any]:
    """Passes over all other fields: a body may be large, and this is the app's thread."""
    fields = dict.fromkeys(filter(None, ("id", api.conversation_field, *api.poll_fields)))
    return msgspec.json.Decoder(msgspec.defstruct("Run", [(name, Any, None) for name in fields])).decode


def run_in(body: bytes, api: Api) -> Mapping[str, Any]:
    """Of a run in JSON: its ids, its status, and what a poll may show."""
    try:
        return msgspec.structs.asdict(_decoder(api)(body))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return _NOTHING


def fields_of(obj: Any) -> Mapping[str, Any]:
    """The instance's dict, where pydantic keeps the fields: its `__getattr__` costs 0.7 us a field, 5 us a miss."""
    fields: Mapping[str, Any] = obj if isinstance(obj, dict) else getattr(obj, "__dict__", _NOTHING)
    return fields


def carried(obj: Any, api: Api, *, is_announced: bool) -> str | None:
    """Our own key in the metadata of a run that lives, or whose end was announced to this process."""
    fields = fields_of(obj)
    metadata = fields.get("metadata")
    line = metadata.get(KEY) if isinstance(metadata, dict) else None
    is_alive = api.phase_of(fields.get(api.status_field)) not in (None, Phase.OVER)
    return line if isinstance(line, str) and (is_alive or is_announced) else None


def alive(obj: Any, api: Api) -> tuple[Any, ...] | None:
    """`api.poll_fields` of a run that goes on: all else is known from its creation. None: it waits, or is over."""
    fields = fields_of(obj)
    if api.phase_of(fields.get(api.status_field)) not in _LIVE:
        return None
    return tuple(map(fields.get, api.poll_fields))


def polled(api: Api, shown: tuple[Any, ...]) -> Payload:
    """What `alive` gave, for the worker."""
    return dict(zip(api.poll_fields, shown, strict=True))


def page(obj: Any, api: Api, is_ours: Callable[[str | None], bool] | None) -> Page | None:
    """A list page of the client or a dict of that shape. `is_ours`: it is a page of runs; those of others are history."""
    data = member(obj, "data")
    if not isinstance(data, list | tuple):
        return None
    has_more = member(obj, "has_more")
    items = tuple(data)
    if is_ours is not None:
        copies = tuple(_listed(item, api) for item in items if is_ours(word(item, "id")))
    else:
        copies = tuple(copy(item) for item in items)
    return Page(copies, has_more if isinstance(has_more, bool) else None)


def _listed(run: Any, api: Api) -> Payload:
    shown = alive(run, api)
    return copy(run) if shown is None else polled(api, shown)


def inside(run: Any, path: tuple[str, ...]) -> list[Any]:
    """What the fields of `path` lead to in a run, a model of the client or a dict; lists are gone through."""
    found = [run]
    for name in path:
        values = [fields_of(thing).get(name) for thing in found]
        found = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [thing for thing in found if thing is not None]


def references(things: list[Any]) -> list[weakref.ref[Any]]:
    """Weak ones, to those that can have one: dicts can't."""
    found = []
    for thing in things:
        with suppress(TypeError):
            found.append(weakref.ref(thing))
    return found
