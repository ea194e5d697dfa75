"""What of a result is copied on the caller's thread, and what is left for the worker.

Copied, because apps do change what they get: the API's own guide has them replace citations in `message.content[0].text.value` in
place. Pydantic's serializer does it in native code (4 us a message). Left alone: of a poll of a live run all
but its scalars, of a page of runs those that are not ours.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ...core.run_context import KEY
from ...runtime.records import Page, Payload

LIVE_STATUSES = frozenset({"queued", "in_progress", "cancelling"})
ALIVE_STATUSES = (*LIVE_STATUSES, "requires_action")  # may be asked for values that have no hash
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


def field(obj: Any, name: str) -> Any:
    return obj.get(name) if isinstance(obj, dict) else getattr(obj, name, None)


def word(obj: Any, name: str) -> str | None:
    """A field that is to be looked up somewhere: servers send lists where words belong."""
    value = field(obj, name)
    return value if isinstance(value, str) else None


class _Ids(Struct):
    id: Any = None
    conversation_id: Any = None


_ids = msgspec.json.Decoder(
    _Ids
).decode  # passes over all other fields: a body may be large, and this is the app's thread


def ids_of(body: bytes) -> Mapping[str, Any]:
    """`id` and `thread_id` of an object in JSON."""
    try:
        found = _ids(body)
    except (ValueError, RecursionError):
        return _NOTHING
    return {"id": found.id, "thread_id": found.conversation_id}


def fields_of(obj: Any) -> Mapping[str, Any]:
    """The instance's dict, where pydantic keeps the fields: its `__getattr__` costs 0.7 us a field, 5 us a miss."""
    fields: Mapping[str, Any] = obj if isinstance(obj, dict) else getattr(obj, "__dict__", _NOTHING)
    return fields


def carried(obj: Any) -> str | None:
    """Our own key in the metadata of a Run that lives."""
    fields = fields_of(obj)
    metadata = fields.get("metadata")
    line = metadata.get(KEY) if isinstance(metadata, dict) else None
    return line if isinstance(line, str) and fields.get("status") in ALIVE_STATUSES else None


def run(obj: Any, *, whole: bool = False) -> Payload:
    """A polled or listed Run. Whole only where its status, or the caller, asks for it."""
    fields = fields_of(obj)
    status = fields.get("status")
    if isinstance(status, str) and status in LIVE_STATUSES and not whole:
        get = fields.get  # the rest of a live run is known from its creation
        return {
            "id": get("id"),
            "status": status,
            "started_at": get("started_at"),
            "expires_at": get("expires_at"),
        }
    return copy(obj)


def page(obj: Any, operation: str, ours: Container[str]) -> Page | None:
    """A list page of the client or a dict of that shape."""
    data = field(obj, "data")
    if not isinstance(data, list | tuple):
        return None
    has_more = field(obj, "has_more")
    items = tuple(data)
    if operation == "list_thread_runs":
        copies = tuple(run(item) for item in items if word(item, "id") in ours)  # others are history
    else:
        copies = tuple(copy(item) for item in items)
    return Page(copies, has_more if isinstance(has_more, bool) else None)
