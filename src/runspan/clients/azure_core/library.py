"""azure-core, as far as an agents client (azure-ai-agents) uses it: `client` is its pipeline, a request an `HttpRequest`."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import Any

from ...apis.api import Apis
from ...core.model import Server
from ...core.secrets import Secrets
from ...guard import guarded
from ...runtime.records import BackgroundClient, Call
from ..hosts import AZURE
from ..library import Found, Library
from ..secret_names import in_url, named_so
from . import background, requests
from .pipelines import is_of_agents

MAX_URLS = 2_048  # polls of a run repeat their URL
PROJECT = re.compile(r"/api/projects/[^/]+")  # what an endpoint of Foundry ends with


class AzureCoreLibrary(Library):
    place, name = 0, "request"

    def __init__(self, apis: Apis, secrets: Secrets) -> None:
        self._apis = apis
        self._secrets = secrets
        self._placed = lru_cache(MAX_URLS)(self._place)

    def match(self, client: Any, request: Any) -> Found | None:
        if not is_of_agents(client):
            return None
        _, path = self._placed(request.method, request.url)
        return self._apis.of_call(request.method, path, partial(self.field, request)) if path else None

    def _place(self, method: str, url: str) -> tuple[Server, str]:
        """The server, up to where the API's own path begins, and that path. "" for the path: it is no API's."""
        try:
            origin, host, port = requests.origin_of(url)
        except ValueError:  # the app's own client refuses it, too
            return Server("", None, None, AZURE), ""
        path = url[len(origin) :].partition("?")[0]
        project = PROJECT.search(path)
        first = project.end() if project else 0  # a project may be called like a path of the API
        begins = (at for at, sign in enumerate(path) if sign == "/" and at >= first)
        at = next((at for at in begins if self._apis.match(method, path[at:]) is not None), len(path))
        return Server(origin + path[:at], host, port, AZURE), path[at:]

    def server(self, client: Any, request: Any) -> Server:
        return self._placed(request.method, request.url)[0]

    header = staticmethod(requests.header)

    query = staticmethod(requests.query)

    sent = staticmethod(requests.sent)

    def dumped(self, request: Any, sent: Any) -> bytes | None:
        return None if sent is None else requests.content(request)

    def field(self, request: Any, name: str) -> Any:
        body = requests.sent(request)
        return body.get(name) if isinstance(body, dict) else None

    with_metadata = staticmethod(requests.with_metadata)

    def via(self, call: Call, client: Any, request: Any, *, is_async: bool) -> BackgroundClient:
        return background.via(client, call.server.base_url, request, is_async=is_async)

    def note_secrets(self, client: Any, request: Any = None, error: BaseException | None = None) -> None:
        """Credentials are in no client: policies put them into the headers of a request while it is sent."""
        if request is None:
            return
        with guarded("note the keys of a request"):
            self._secrets.add(named_so(request.headers.items()))
            self._secrets.add(in_url(request.url))

    def signs(self, client: Any) -> tuple[Any, ...]:
        return (None,)
