"""How the worker asks a client's server in the background, also when the app has closed or dropped the client by then.

Clients and their transports are held weakly: our holding on to them would keep the app's connections open. What is kept of a client
is everything else, as long as a run of it lives: settings, credentials, and its transport without connections. So the requests are
those of the app's own client, whatever becomes of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from operator import is_
from typing import Any

from ... import _compat
from ...runtime import loops
from ...runtime.emitter import suppressed
from ...runtime.fetcher import Unavailable
from ...runtime.records import BackgroundClient
from ..keeping import NAME, Kept, kept_on
from ..library import FETCH, OURS

HEADERS = {OURS: FETCH, "X-Stainless-Raw-Response": "true"}

MAX_TRANSPORTS = 64  # copies kept at once, the newest: certificates of its own make one 0.7 MB

Query = Mapping[str, Any]


class Transport:
    """A copy of a client's transport, for as long as somebody may need it. `rest` None: there is none, or no room for it."""

    __slots__ = ("__weakref__", "_is_usual", "of", "rest")

    def __init__(self, http: Any) -> None:
        self.of: Callable[[], Any] = loops.nothing if http is None else weakref.ref(http)
        self.rest = _compat.transport_at_rest(http)
        # What `openai` makes where it is given no `http_client`: a class of its own below another one of its own.
        self._is_usual = all(map(_is_of_openai, (type(http), type(http).__base__)))

    def shrink(self) -> None:
        """Beyond the bound, as in an app that makes a client for each call, those with nothing of the app's share certificates."""
        rest, self.rest = self.rest, None
        if rest is not None and self._is_usual:
            self.rest = _compat.transport_at_rest(rest, _shared)


def _shared(certificates: Any) -> Any:
    """The first ones that are the same: which they are, and which proxies, `openai` reads from the environment for each client."""
    with suppress(NotImplementedError):  # truststore, which asks the system and weighs nothing
        held = frozenset(certificates.get_ca_certs(binary_form=True))
        return _certificates.setdefault(hash(held), certificates) if held else certificates
    return certificates


class Background(Kept):
    """What is kept of one client."""

    def __init__(self, client: Any) -> None:
        self.client = weakref.ref(client)
        self.transport = _transport_of(_compat.transport_of(client))
        self._template = object.__new__(type(client))
        self._template.__dict__.update(_compat.settings_of(client))
        self._template.__dict__.pop(NAME, None)
        self._changes = _changes(client)
        self._needs_loop = _needs_loop(client)

    def fits(self, client: Any) -> bool:
        """Whether it was made of this client as it is now."""
        if self.client() is not client or self.transport.of() is not _compat.transport_of(client):
            return False
        return all(map(is_, self._changes, _changes(client)))

    def living(self) -> Any:
        """The app's own client, or (as after `with_options`) a copy that uses its transport. None: it is closed or gone."""
        client = self.client()
        if client is not None and not client.is_closed():
            return client
        http = self.transport.of()
        return None if http is None or http.is_closed else _compat.client_with(self._template, http)

    def twin(self) -> Any:
        """A client of the same class with the same settings, and a transport of its own to be closed; None: not possible."""
        rest = self.transport.rest
        return None if rest is None else _compat.client_with(self._template, _compat.opened_transport(rest))

    # ------------------------------------------------------------ one GET

    def get(self, headers: Mapping[str, str], path: str, query: Query, timeout_s: float) -> bytes | None:
        """The body, or None where there is nobody to ask or the server says that there is no such thing."""
        client = self.living()
        if client is not None:
            try:
                return _get(client, headers, path, query, timeout_s)
            except Unavailable:
                if not client.is_closed():
                    raise
        twin = self.twin()
        if twin is None:
            return None
        try:
            return _get(twin, headers, path, query, timeout_s)
        finally:
            twin.close()

    def get_async(
        self, loop: Callable[[], Any], headers: Mapping[str, str], path: str, query: Query, timeout_s: float
    ) -> bytes | None:
        """The same for an async client: by a twin in this thread, so that nothing of ours is on the app's loop.

        What belongs to that loop is used there, as long as it runs.
        """
        from .. import on_loop

        async def get(client: Any) -> bytes | None:
            if client is not None:
                try:
                    return await _aget(client, headers, path, query, timeout_s)
                except Unavailable:
                    if not client.is_closed():
                        raise
            twin = self.twin()
            if twin is None:
                return None
            try:
                return await _aget(twin, headers, path, query, timeout_s)
            finally:
                await twin.close()

        belongs_there = self._needs_loop or self.transport.rest is None
        there = (lambda: get(self.living())) if belongs_there else None
        return on_loop.ask(loop(), there, lambda: get(None), timeout_s + 1)


def via(client: Any, server: str, headers: Mapping[str, str], *, is_async: bool) -> BackgroundClient:
    """How the worker may GET from this client's server. `headers`: those that its API needs."""
    background = _background_of(client)
    headers = {**HEADERS, **headers}
    owner = hash((server, getattr(client, "api_key", None)))
    if not is_async:
        return BackgroundClient(server, owner, partial(background.get, headers))
    return BackgroundClient(server, owner, partial(background.get_async, loops.reference(), headers))


# ---------------------------------------------------------------- requests


def _get(client: Any, headers: Mapping[str, str], path: str, query: Query, timeout_s: float) -> bytes | None:
    with suppressed():
        try:
            options = _options(client, query, timeout_s, headers)
            content: bytes = client.get(path, cast_to=object, options=options).content
        except Exception as error:
            _check_refusal(error)
            return None
    return content


async def _aget(
    client: Any, headers: Mapping[str, str], path: str, query: Query, timeout_s: float
) -> bytes | None:
    with suppressed():
        try:
            options = _options(client, query, timeout_s, headers)
            content: bytes = (await client.get(path, cast_to=object, options=options)).content
        except Exception as error:
            _check_refusal(error)
            return None
    return content


def _options(client: Any, query: Query, timeout_s: float, headers: Mapping[str, str]) -> dict[str, Any]:
    """Without retries, and no more patient than we or the app are."""
    own = getattr(client, "timeout", None)
    if isinstance(own, int | float):
        timeout_s = min(timeout_s, own)
    return {"params": dict(query), "headers": dict(headers), "max_retries": 0, "timeout": timeout_s}


def _check_refusal(error: Exception) -> None:
    """Refusals and silence of the server ask for a pause. All else is the answer: 4xx, credentials that cannot be had."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        is_refusal = status == 429 or status >= 500
    else:
        is_refusal = any(kind.__name__ == "APIConnectionError" for kind in type(error).__mro__)
    if is_refusal:
        raise Unavailable from error


# ---------------------------------------------------------------- what is kept


def _needs_loop(client: Any) -> bool:
    """Whether an async client has code of the app's in it, which may only work on the loop that it was made for."""
    http = _compat.transport_of(client)
    hooks = chain.from_iterable(getattr(http, "event_hooks", {}).values())
    return (
        getattr(http, "auth", None) is not None
        or _compat.has_provider(client)
        or not all(_is_of_openai(one) for one in (type(client), *hooks))
    )


def _is_of_openai(one: Any) -> bool:
    return str(getattr(one, "__module__", "")).partition(".")[0] == "openai"


def _changes(client: Any) -> tuple[Any, ...]:
    return tuple(map(vars(client).get, _compat.CLIENT_CHANGES))


# That are shared, by the hash of what they hold.
_certificates: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_transports: dict[int, weakref.ref[Transport]] = {}  # by id of the httpx client, the oldest first


def _background_of(client: Any) -> Background:
    known = kept_on(client, Background)
    _keep(id(known.transport.of()), known.transport)
    return known


def _transport_of(http: Any) -> Transport:
    """Shared by the copies that `with_options` makes of a client."""
    key = id(http)
    weak = _transports.get(key)
    known = weak() if weak is not None else None
    if known is None or known.of() is not http:
        known = Transport(http)
    _keep(key, known)
    return known


def _keep(key: int, transport: Transport) -> None:
    """Move it to the end; beyond the bound, the copy that was longest not used goes."""
    weak = _transports.pop(key, None)
    if weak is None or weak() is not transport:
        weak = weakref.ref(transport, partial(_forget_transport, key))
    _transports[key] = weak
    while len(_transports) > MAX_TRANSPORTS:
        with suppress(StopIteration, RuntimeError, KeyError):  # another thread may be at it
            oldest = _transports.pop(next(iter(_transports)))()
            if oldest is not None:
                oldest.shrink()


def _forget_transport(key: int, gone: weakref.ref[Any]) -> None:
    if _transports.get(key) is gone:
        del _transports[key]
