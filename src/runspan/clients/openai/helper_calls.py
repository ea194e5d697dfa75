"""`upload_and_poll`, `create_and_poll`, `wait_for_processing`: one span each, with the number of polls and uploads.

Seen from the choke point they are some uploads (in threads), a POST and a row of GETs; only the method knows that they are one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _compat
from ...apis.api import Api, Apis, Match, Route
from ...core.model import CallFacts, SpanData, SpanKind, Stored
from ...core.secrets import Secrets
from ...guard import guarded, swallow
from ...runtime import emitter as emit
from ...runtime import helper_call as grouped
from ...runtime.clock import now_ns
from ...runtime.emitter import Emitter
from ...runtime.helper_call import HelperCall
from ...runtime.records import Call
from .. import result_copy
from ..errors import read_error
from . import server as clients

Wrapped = Callable[..., Any]


class Helpers:
    """What stands around the helpers. One per `instrument()`."""

    def __init__(
        self, emitter: Emitter, put: Callable[[Any], None], secrets: Secrets, calls: str, apis: Apis
    ) -> None:
        self._apis = apis
        self._emitter = emitter
        self._put = put
        self._secrets = secrets
        self._calls = calls

    def helper(self, wrapped: Wrapped, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = self._begin(wrapped, resource, args, kwargs)
        if call is None:
            return wrapped(*args, **kwargs)
        entered = _enter(call)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            _leave(entered)
            self._failed(call, error, resource)
            raise
        _leave(entered)
        self._done(call, result)
        return result

    async def ahelper(
        self, wrapped: Wrapped, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call = self._begin(wrapped, resource, args, kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        entered = _enter(call)
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            _leave(entered)
            self._failed(call, error, resource)
            raise
        _leave(entered)
        self._done(call, result)
        return result

    # ------------------------------------------------------------ before and after

    def _begin(
        self, wrapped: Wrapped, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Call | None:
        """The record of a helper with its span begun; None: nothing is to be recorded, or another helper called it."""
        try:
            if self._calls == "none" or grouped.current() is not None or emit.is_suppressed():
                return None
            api, route = _found(self._apis, resource, wrapped.__name__)
            is_wanted = self._calls == "all" or (
                route is not None and route.is_write and emit.is_under_sampled_span()
            )
            client = _compat.client_of(resource)
            if client is None or api is None or route is None or not is_wanted:
                return None
            by_place = args[0] if args and route.operation.endswith("_file_batch") else None
            store_id = kwargs.get("vector_store_id", by_place)
            match = Match(route, store_id=store_id if isinstance(store_id, str) else None)
            call = Call(api, match, clients.server_of(client), now_ns(), group=HelperCall())
            facts = CallFacts(call.server, stored=Stored(store_id=match.store_id))
            data = SpanData(SpanKind.CALL, route.operation, call.request_ns, call.request_ns, facts)
            call.live = self._emitter.begin(data)
            call.context = call.live.context
            return call
        except Exception as error:
            swallow("begin to observe a helper", error)
            return None

    def _failed(self, call: Call, error: BaseException, resource: Any) -> None:
        with guarded("note a failed helper"):
            self._secrets.add(
                (*clients.secrets_of(_compat.client_of(resource)), *clients.secrets_sent(error))
            )
            call.error = read_error(error)
            self._end(call)

    def _done(self, call: Call, result: Any) -> None:
        with guarded("observe a helper"):
            call.result = result_copy.copy(result)
            self._end(call)

    def _end(self, call: Call) -> None:
        call.response_ns = now_ns()
        if call.live is not None and call.live.span.is_recording():
            self._put(call)


def _found(apis: Apis, resource: Any, method: str) -> tuple[Api | None, Route | None]:
    """By class, also of an app's subclass."""
    names = (base.__name__.removeprefix("Async") for base in type(resource).__mro__)
    return next((found for name in names if (found := apis.helpers.get((name, method)))), (None, None))


def _enter(call: Call) -> Any:
    """Its span is current, and the calls it makes count for it."""
    with guarded("enter the context of a helper"):
        return (emit.enter(call.live) if call.live else None), grouped.enter(call.group)
    return None


def _leave(entered: Any) -> None:
    with guarded("leave the context of a helper"):
        if entered is not None:
            token, group = entered
            grouped.leave(group)
            if token is not None:
                emit.leave(token)
