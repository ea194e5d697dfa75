"""The official client: its `FinalRequestOptions`, its clients, and how to ask through them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...apis.api import Apis
from ...runtime.records import BackgroundClient, Call
from ..library import Found, Library, with_key
from . import background, request_options
from .server import ClientSecrets, server_of


class OpenAILibrary(Library):
    place, name = 1, "options"

    def __init__(self, apis: Apis, secrets: ClientSecrets) -> None:
        self._apis = apis
        self._secrets = secrets

    def match(self, client: Any, request: Any) -> Found | None:
        return self._apis.of_call(request.method, request.url, partial(request_options.field, request))

    server = staticmethod(server_of)

    header = staticmethod(request_options.header)

    def query(self, request: Any) -> Mapping[str, Any] | None:
        return request_options.query(request) if request.params or "?" in request.url else None

    sent = staticmethod(request_options.sent)

    def dumped(self, request: Any, sent: Any) -> bytes | None:
        return request_options.dumped(sent)

    field = staticmethod(request_options.field)

    def with_metadata(self, request: Any, key: str, line: Callable[[], str], most: int) -> Any:
        """What an `extra_body` says of metadata beats the argument, here as there."""
        if not isinstance(request.json_data, Mapping):
            return None
        extra = getattr(request, "extra_json", None)
        name = "extra_json" if isinstance(extra, Mapping) and "metadata" in extra else "json_data"
        body = getattr(request, name)
        metadata = with_key(body.get("metadata"), key, line, most)
        if metadata is None:
            return None
        copied = copy.copy(request)
        setattr(copied, name, {**body, "metadata": metadata})
        return copied

    def via(self, call: Call, client: Any, request: Any, *, is_async: bool) -> BackgroundClient:
        headers = request_options.needed_headers(call.api, request)
        return background.via(client, call.server.base_url, headers, is_async=is_async)

    def signs(self, client: Any) -> tuple[Any, ...]:
        return getattr(client, "__dict__", {}).get("request"), type(client).request

    def note_secrets(self, client: Any, request: Any = None, error: BaseException | None = None) -> None:
        self._secrets.note(client, error)
