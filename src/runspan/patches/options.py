"""What a call of the official client is about to send, read off its `FinalRequestOptions`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from . import snapshot


def sent(options: Any) -> Any:
    """What the client sends as JSON, `extra_body` included: the app's own objects, which it may change later."""
    body, extra = options.json_data, getattr(options, "extra_json", None)
    if isinstance(body, Mapping) or extra:
        return {**(body if isinstance(body, Mapping) else {}), **(extra or {})}
    return body


def dumped(sent: Any) -> bytes | None:
    if sent is None:
        return None
    return json.dumps(sent, default=_jsonable, ensure_ascii=False).encode("utf-8", "replace")


def _jsonable(value: Any) -> Any:
    """What a request may hold beside JSON: iterables for lists, models."""
    if hasattr(value, "__pydantic_serializer__"):
        return json.loads(snapshot.copy(value) or b"null")  # type: ignore[arg-type]
    return str(type(value).__name__)


def query(options: Any) -> Mapping[str, Any]:
    """Parameters given apart, and those that an app wrote into the URL."""
    _, _, in_url = options.url.partition("?")
    given = dict(options.params) if options.params else {}
    return {**dict(parse_qsl(in_url)), **given} if in_url else given


def header(options: Any, name: str) -> str | None:
    headers = options.headers
    value = headers.get(name) if isinstance(headers, dict) else None
    return value if isinstance(value, str) else None
