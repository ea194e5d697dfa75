"""What there is to know of a client: where it sends, and which of what it sends is secret. Clients are held weakly."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ... import _compat
from ...core.model import Server
from ...core.secrets import Secrets
from ...guard import guarded
from ..hosts import provider_of
from ..secret_names import in_url, named_so

# By id, as a WeakKeyDictionary costs 0.7 us a look: (the client, its `base_url` when it was read, what was made of that).
_servers: dict[int, tuple[weakref.ref[Any], Any, Server]] = {}


def server_of(client: Any, _request: Any = None) -> Server:
    """Of the client's `base_url` as it is now (it can be set anew)."""
    # The property is slow in 3.x (3 us a read); the attribute behind it changes when it is set.
    identity = _compat.base_url_of(client)
    key = id(client)
    known = _servers.get(key)
    if known is not None and known[0]() is client and known[1] is identity:
        return known[2]
    url = client.base_url
    parts = urlsplit(str(url))
    host = parts.hostname
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    server = Server(str(url), host, port, provider_of(client, host))
    _servers[key] = (weakref.ref(client, lambda _: _servers.pop(key, None)), identity, server)
    return server


_NONE: Mapping[str, Any] = {}


class ClientSecrets:
    """Tells `secrets` the keys of each client once: servers repeat them in what they say, also of a run that failed later."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._noted: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()  # client -> its key

    def note(self, client: Any, error: BaseException | None = None) -> None:
        with guarded("note the keys of a client"):
            key = getattr(client, "api_key", None)
            if error is None and self._noted.get(client, self) is key:
                return
            self._noted[client] = key
            self._secrets.add(secrets_of(client))
            if error is not None:
                self._secrets.add(secrets_sent(error))


def secrets_of(client: Any) -> Iterator[object]:
    """Keys it sends: its own, those in its URL, headers and query parameters that are called like one."""
    yield getattr(client, "api_key", None)
    yield from named_so(list(vars(client).items()))  # as a list: other threads add to it
    yield from in_url(str(client.base_url))
    for name in ("default_headers", "default_query"):  # 1.30 keeps the query to itself
        yield from named_so(getattr(client, name, _NONE).items())


def secrets_sent(error: BaseException) -> Iterator[object]:
    """Keys in the request that failed, whoever put them there: one call's own headers, a provider of tokens."""
    request: Any = vars(error).get("request")  # not getattr: httpx raises where an error has none
    if request is not None:
        yield from named_so(request.headers.items())
        yield from in_url(str(request.url))
