"""The choke point: `SyncAPIClient.request` and `AsyncAPIClient.request` of the official client, wrapped.

Every logical call passes here once: helpers, streams, raw responses, pages, copies of clients, objects made before us; above
retries and below the deprecation warnings. The user's call is made exactly once, outside any `try` of ours that could alter its
outcome, and its result is handed back as the very same object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...apis.api import Api, Apis, Match
from ...guard import guarded, swallow
from ...runtime import emitter as emit
from ...runtime.records import Call, LiveSpan
from . import metadata_key
from .request_options import field
from .results import Results
from .starts import Starts

Wrapped = Callable[..., Any]
Found = tuple[Api, Match]


class Patch:
    """What the wrapped methods do. One per `instrument()`: `starts` looks at a call before it is made, `results` after that."""

    def __init__(self, apis: Apis, starts: Starts, results: Results) -> None:
        self._apis = apis
        self._starts = starts
        self._results = results

    def request(self, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self._match(args, kwargs)
        call = None if found is None else self._begin(found, client, args, kwargs, is_async=False)
        if call is None:
            return wrapped(*args, **kwargs)
        if call.sends is not None:
            args, kwargs = metadata_key.instead(call, args, kwargs)
        token = _enter(call.live) if call.live is not None else None
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            if token is not None:
                _leave(token)
            self._results.failed(call, error, client)
            raise
        if token is not None:
            _leave(token)
        self._results.done(call, result, is_async=False)
        return result

    def arequest(self, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self._match(args, kwargs)
        if found is None:
            return wrapped(*args, **kwargs)
        return self._arequest(found, wrapped, client, args, kwargs)

    async def _arequest(
        self, found: Found, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call = self._begin(found, client, args, kwargs, is_async=True)
        if call is None:
            return await wrapped(*args, **kwargs)
        if call.sends is not None:
            args, kwargs = metadata_key.instead(call, args, kwargs)
        token = _enter(call.live) if call.live is not None else None
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            if token is not None:
                _leave(token)
            self._results.failed(call, error, client)
            raise
        if token is not None:
            _leave(token)
        self._results.done(call, result, is_async=True)
        return result

    def _begin(
        self, found: Found, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, is_async: bool
    ) -> Call | None:
        """The record of a call of ours, with its span begun; None: pass it through."""
        try:
            options = args[1] if len(args) > 1 else kwargs["options"]
            return self._starts.begin(*found, client, options, bool(kwargs.get("stream")), is_async=is_async)
        except Exception as error:
            swallow("begin to observe a call", error)
            return None

    def _match(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Found | None:
        try:
            options = args[1] if len(args) > 1 else kwargs["options"]
            return self._apis.of_call(options.method, options.url, partial(field, options))
        except Exception as error:
            swallow("look at a call", error)
            return None


def _enter(live: LiveSpan) -> Any:
    with guarded("enter the context of a call"):
        return emit.enter(live)
    return None


def _leave(token: Any) -> None:
    with guarded("leave the context of a call"):
        emit.leave(token)
