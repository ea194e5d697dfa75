"""What a call of the official client is about to send, read off its `FinalRequestOptions`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ...apis.api import Api
from ...core.jsontext import loads
from .. import result_copy


def sent(options: Any) -> Any:
    """What the client sends as JSON, `extra_body` included: the app's own objects, which it may change later."""
    body, extra = options.json_data, getattr(options, "extra_json", None)
    if isinstance(body, Mapping) or extra:
        return {**(body if isinstance(body, Mapping) else {}), **(extra or {})}
    return body


def field(options: Any, name: str) -> Any:
    """One field of it, without making a copy."""
    for body in (getattr(options, "extra_json", None), options.json_data):
        if isinstance(body, Mapping) and name in body:
            return body[name]
    return None


def dumped(sent: Any) -> bytes | None:
    """JSON of what is sent, as of now: the app may change its objects once the call is over."""
    if sent is None:
        return None
    try:
        return _encode(sent)
    except Exception:  # half a surrogate pair, a key that is no text: the slower, forgiving way
        return json.dumps(sent, default=_jsonable, ensure_ascii=False).encode("utf-8", "replace")


def _jsonable(value: Any) -> Any:
    """What a request may hold beside JSON: models, mappings. Anything else goes by its type."""
    if hasattr(value, "__pydantic_serializer__"):
        return loads(result_copy.copy(value) or b"null")  # type: ignore[arg-type]
    return dict(value) if isinstance(value, Mapping) else str(type(value).__name__)


_encode = msgspec.json.Encoder(enc_hook=_jsonable).encode


def query(options: Any) -> Mapping[str, Any]:
    """Parameters given apart, and those that an app wrote into the URL."""
    _, _, in_url = options.url.partition("?")
    given = dict(options.params) if options.params else {}
    return {**dict(parse_qsl(in_url)), **given} if in_url else given


def needed_headers(api: Api, options: Any) -> Mapping[str, str]:
    """What the API needs; where the app chose a version of it, that one."""
    chosen = header(options, api.version_header) if api.version_header else None
    return {**api.headers, str(api.version_header): chosen} if chosen else api.headers


def header(options: Any, name: str) -> str | None:
    headers = options.headers
    value = headers.get(name) if isinstance(headers, dict) else None
    return value if isinstance(value, str) else None
