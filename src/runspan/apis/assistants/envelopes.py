"""Which event something in a stream is, in whatever a server or a release of the client put around it. One reader for all:

| sent | by |
|---|---|
| `event: NAME`, `data: OBJECT` | OpenAI, Azure |
| `data: {"event": NAME, "data": OBJECT}` | LiteLLM's proxy, Astra; the typed stream of openai 2 and 3 gives it without a name |
| both at once; one envelope in another; OBJECT as a JSON text | gateways that wrap what they pass on |
| `data: OBJECT`; a JSON body in place of a stream | servers that send no names: the object's type and status make one |
| `data: {"error": ...}`, an object or a text | all, when a stream breaks |
"""

from __future__ import annotations

from typing import Any

from ..objects import field_of, is_object, unwrapped

PREFIX = "thread."
ERROR = "error"

_NAMED_BY_STATUS = frozenset({"thread.run", "thread.run.step", "thread.message"})


def opened(name: Any, data: Any) -> tuple[str, Any]:
    """(name, object) of what came as `data` under `name`: dicts or models of the client. The name is "" where nothing tells it."""
    name, data = unwrapped(name, data)
    extra = getattr(data, "__pydantic_extra__", None)
    if extra:  # a model of something else, whose own fields are empty
        data = {**vars(data), **extra}
    if not isinstance(name, str) or not (name.startswith(PREFIX) or name == ERROR):
        name = _name_of(data)
    return name, data


def is_wrapped(data: Any) -> bool:
    """Whether there is an envelope in what came under a name of the API."""
    return isinstance(data, str) or field_of(data, "data") is not None


def _name_of(data: Any) -> str:
    kind, status = field_of(data, "object"), field_of(data, "status")
    if not isinstance(kind, str):
        told = field_of(data, "error")
        return ERROR if is_object(told) or (isinstance(told, str) and told) else ""
    if kind == "thread":
        return "thread.created"
    if kind in _NAMED_BY_STATUS:
        return f"{kind}.{status}" if isinstance(status, str) else ""
    return kind if kind.startswith(PREFIX) else ""
