"""What an `HttpRequest` of azure-core says: its URL, its JSON body, its headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ...core.jsontext import value_of
from ..library import with_key


def query(request: Any) -> Mapping[str, str] | None:
    """Parameters of its URL, the API's version among them."""
    _, _, text = request.url.partition("?")
    return dict(parse_qsl(text)) if text else None


def header(request: Any, name: str) -> str | None:
    value = request.headers.get(name)
    return value if isinstance(value, str) else None


def content(request: Any) -> bytes | None:
    """The body, where it is in memory: a file or a generator is the app's to read."""
    given = getattr(request, "content", None)
    if isinstance(given, str):
        return given.encode("utf-8", "replace")
    return given if isinstance(given, bytes) else None


def sent(request: Any) -> Any:
    """The body as a value; None: there is none, or it is no JSON."""
    return value_of(content(request))


def with_metadata(request: Any, key: str, line: Callable[[], str], most: int) -> Any:
    """A copy whose body has one key of metadata more; None: there is no room."""
    body = sent(request)
    metadata = with_key(body.get("metadata"), key, line, most) if isinstance(body, dict) else None
    if metadata is None:
        return None
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
    text = json.dumps({**body, "metadata": metadata})  # ASCII alone, as the client itself writes it
    return type(request)(request.method, request.url, headers=headers, content=text)


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """(scheme and host as they stand, host, port). Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{parts.netloc}", parts.hostname, port
