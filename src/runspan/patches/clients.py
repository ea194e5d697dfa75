"""What there is to know of a client: where it sends, and how to ask its server something in the background.

Clients are held weakly. `openai` is imported here only once a client of it exists.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .. import _compat
from ..core.model import Server
from ..runtime import loops
from ..runtime.emit import suppressed
from ..runtime.fetch import Unavailable
from ..runtime.records import Via
from .hosts import provider_of

# By id, as a WeakKeyDictionary costs 0.7 us a look: (the client, its `base_url` when it was read, what was made of that).
_servers: dict[int, tuple[weakref.ref[Any], Any, Server]] = {}

OURS = "X-Runspan"  # marks our own GETs
FETCH_HEADERS = {OURS: "fetch", "X-Stainless-Raw-Response": "true", "OpenAI-Beta": "assistants=v2"}


def server_of(client: Any) -> Server:
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


_SECRET_NAMES = re.compile(
    r"key|token|secret|auth|cookie|password|signature|credential|\bsig\b|^code$", re.IGNORECASE
)


def secrets_of(client: Any) -> Iterator[object]:
    """Keys it sends: its own, those in its URL, headers and query parameters that are called like one."""
    for name in ("api_key", "admin_api_key"):
        yield getattr(client, name, None)
    yield _compat.of_some_clients(client, "azure_ad_token")
    yield from _in_url(str(client.base_url))
    for given in (_compat.custom_headers(client), _compat.custom_query(client)):
        if isinstance(given, Mapping):
            yield from _called_so(given.items())


def secrets_sent(error: BaseException) -> Iterator[object]:
    """Keys in the request that failed, whoever put them there: one call's own headers, a provider of tokens."""
    request: Any = vars(error).get("request")  # not getattr: httpx raises where an error has none
    if request is not None:
        yield from _called_so(request.headers.items())
        yield from _in_url(str(request.url))


def _in_url(url: str) -> Iterator[object]:
    parts = urlsplit(url)
    yield from (parts.username, parts.password)
    if parts.query:
        yield from _called_so(parse_qsl(parts.query))


def _called_so(pairs: Iterable[tuple[Any, Any]]) -> Iterator[object]:
    """Values whose names say so; of `Bearer KEY` also the key alone."""
    for name, value in pairs:
        if isinstance(value, str) and _SECRET_NAMES.search(str(name)):
            yield from (value, value.rpartition(" ")[2])


def via(client: Any, beta: str | None, *, is_async: bool) -> Via:
    """How the worker may GET from this client's server. `beta`: the API version that the app itself asked for."""
    headers = {**FETCH_HEADERS, "OpenAI-Beta": beta} if beta else FETCH_HEADERS
    weak = weakref.ref(client)
    if not is_async:
        return Via(id(client), lambda path, query, timeout_s: _get(weak(), path, query, timeout_s, headers))
    import asyncio  # an app with an async client has it already

    try:
        loop: weakref.ref[Any] | None = weakref.ref(asyncio.get_running_loop())
    except RuntimeError:
        loop = None

    def get(path: str, query: Mapping[str, Any], timeout_s: float) -> bytes | None:
        return _get_async(weak(), loop() if loop else None, path, query, timeout_s, headers)

    return Via(id(client), get)


def _get(
    client: Any, path: str, query: Mapping[str, Any], timeout_s: float, headers: Mapping[str, str]
) -> bytes | None:
    """The body, or None where there is nobody to ask or the server says that there is no such thing."""
    if client is None or client.is_closed():
        return None
    with suppressed():
        try:
            response = client.get(path, cast_to=object, options=_options(query, timeout_s, headers))
        except Exception as error:
            _check_refusal(error)
            return None
    content: bytes = response.content
    return content


def _options(query: Mapping[str, Any], timeout_s: float, headers: Mapping[str, str]) -> dict[str, Any]:
    return {"params": dict(query), "headers": dict(headers), "max_retries": 0, "timeout": timeout_s}


def _check_refusal(error: Exception) -> None:
    """4xx: that is the answer. All else asks for a pause."""
    status = getattr(error, "status_code", None)
    if not (isinstance(status, int) and 400 <= status < 500 and status != 429):
        raise Unavailable from error


def _get_async(
    client: Any, loop: Any, path: str, query: Mapping[str, Any], timeout_s: float, headers: Mapping[str, str]
) -> bytes | None:
    """On the client's own loop while it runs; else through a sync twin, where that is the same thing."""
    if client is None or client.is_closed():
        return None
    if loop is not None and loop.is_running() and not loops.is_held(loop):
        import asyncio
        import concurrent.futures

        task = asyncio.run_coroutine_threadsafe(_get_on_loop(client, path, query, timeout_s, headers), loop)
        try:
            return task.result(timeout_s + 1)
        except concurrent.futures.TimeoutError:  # another class than TimeoutError before Python 3.11
            task.cancel()
            raise Unavailable from None
    twin = _sync_twin(client)
    if twin is None:
        return None
    try:
        return _get(twin, path, query, timeout_s, headers)
    finally:
        twin.close()


async def _get_on_loop(
    client: Any, path: str, query: Mapping[str, Any], timeout_s: float, headers: Mapping[str, str]
) -> bytes | None:
    with suppressed():
        try:
            response = await client.get(path, cast_to=object, options=_options(query, timeout_s, headers))
        except Exception as error:
            _check_refusal(error)
            return None
    content: bytes = response.content
    return content


def _sync_twin(client: Any) -> Any:
    """A sync client with the same address and key; None where the app brought its own transport or async credentials."""
    import openai

    has_own_transport = "Wrapper" not in type(_compat.transport_of(client)).__name__
    has_async_key = _compat.of_some_clients(client, "api_key_provider") or _compat.of_some_clients(
        client, "azure_ad_token_provider"
    )
    if (
        has_own_transport
        or has_async_key
        or type(client) not in (openai.AsyncOpenAI, openai.AsyncAzureOpenAI)
    ):
        return None
    common: dict[str, Any] = {
        "api_key": client.api_key,
        "default_headers": _compat.custom_headers(client),
        "max_retries": 0,
    }
    if type(client) is openai.AsyncOpenAI:
        return openai.OpenAI(
            base_url=client.base_url,
            organization=client.organization,
            project=getattr(client, "project", None),
            **common,
        )
    return openai.AzureOpenAI(
        base_url=str(client.base_url),
        api_version=_compat.of_some_clients(client, "api_version"),
        azure_ad_token=_compat.of_some_clients(client, "azure_ad_token"),
        **common,
    )
