"""The choke point: the one method of a client library that every logical call passes, wrapped.

The user's call is made exactly once, outside any `try` of ours that could alter its outcome, and its result is handed back as the
very same object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..guard import guarded, swallow
from ..runtime import emitter as emit
from ..runtime.records import Call, LiveSpan
from .library import Found, Library
from .results import Results
from .starts import Starts

Wrapped = Callable[..., Any]
Seen = tuple[Found, Any]  # whose call it is, and its request


class Patch:
    """What the wrapped methods do. One per library and `instrument()`: `starts` looks at a call before it is made, `results` after
    that.
    """

    def __init__(self, library: Library, starts: Starts, results: Results) -> None:
        self._look = library.match
        self._place, self._name = library.place, library.name
        self._starts = starts
        self._results = results

    def request(self, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen = self._match(client, args, kwargs)
        call = None if seen is None else self._starts.begin(*seen, client, kwargs, is_async=False)
        if seen is None or call is None:
            return wrapped(*args, **kwargs)
        if call.sends is not None:
            args, kwargs = self._instead(call, args, kwargs)
        token = _enter(call.live) if call.live is not None else None
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            if token is not None:
                _leave(token)
            self._failed(call, error, client, seen)
            raise
        if token is not None:
            _leave(token)
        self._results.done(call, result, is_async=False)
        return result

    def arequest(self, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen = self._match(client, args, kwargs)
        if seen is None:
            return wrapped(*args, **kwargs)
        return self._arequest(seen, wrapped, client, args, kwargs)

    async def _arequest(
        self, seen: Seen, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call = self._starts.begin(*seen, client, kwargs, is_async=True)
        if call is None:
            return await wrapped(*args, **kwargs)
        if call.sends is not None:
            args, kwargs = self._instead(call, args, kwargs)
        token = _enter(call.live) if call.live is not None else None
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            if token is not None:
                _leave(token)
            self._failed(call, error, client, seen)
            raise
        if token is not None:
            _leave(token)
        self._results.done(call, result, is_async=True)
        return result

    def _failed(self, call: Call, error: BaseException, client: Any, seen: Seen) -> None:
        with guarded("note a failed call"):
            self._results.failed(call, error, client, seen[1])

    def _match(self, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Seen | None:
        try:
            place = self._place
            request = args[place] if len(args) > place else kwargs[self._name]
            found = self._look(client, request)
            return None if found is None else (found, request)
        except Exception as error:
            swallow("look at a call", error)
            return None

    def _instead(
        self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with the request to send in place of the app's."""
        request, call.sends = call.sends, None
        place = self._place
        if len(args) > place:
            return (*args[:place], request, *args[place + 1 :]), kwargs
        return args, {**kwargs, self._name: request}


def _enter(live: LiveSpan) -> Any:
    with guarded("enter the context of a call"):
        return emit.enter(live)
    return None


def _leave(token: Any) -> None:
    with guarded("leave the context of a call"):
        emit.leave(token)
