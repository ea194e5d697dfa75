"""What the official client hands its app: objects and pages, copied for the worker; raw responses and streams, tapped."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from ...apis.api import Api
from ...guard import swallow
from ...runtime.records import Call
from ...runtime.tool_claims import Held
from .. import result_copy
from ..results import Results
from ..taps import BodyTap, ChunkTap, Tap
from .holding import held
from .stream_taps import is_no_event_stream, tap_bytes, tap_events

_NOTHING: Mapping[str, Any] = {}


class OpenAIResults(Results):
    def _read(self, call: Call, result: Any, *, is_async: bool) -> None:
        http = _http_of(call, result)
        if http is not None:
            self._raw(call, result, http)
        elif isinstance(result, str):  # the client hands on what does not call itself JSON
            self._body(call, result.encode("utf-8", "replace"), None)
        elif not call.streams or call.api.events is None:
            self._plain(call, result)
        else:
            self._stream(call, result, is_async=is_async)

    def _read_apart(self, call: Call, result: Any) -> None:
        http = _http_of(call, result)
        if call.match.route.gives_file or call.match.route.is_list:
            self._put(call)  # without its answer, which tells nothing more
        elif http is not None:
            self._raw(call, result, http)
        else:
            call.result = result_copy.copy(result)
            self._put(call)

    # ------------------------------------------------------------ objects of the client

    def _plain(self, call: Call, result: Any) -> None:
        route = call.match.route
        if route.is_poll:
            self._polled(call, result, result_copy.copy, result)
            return
        self._share(call, result)
        if self._renames(call):
            self._also(call, result)
        if route.is_list:
            call.result = result_copy.page(
                result, call.api, self._is_ours(call) if route.lists_runs else None
            )
        else:
            call.result = result_copy.copy(result)
            if route.starts_run:
                self._learn(call, result)
        self._waits(call, call.result, result)
        self._put(call)

    def _is_ours(self, call: Call) -> Callable[[str | None], bool]:
        """Whether a run of a page is followed here."""
        server, conversation_id = call.server.base_url, call.match.conversation_id

        def is_ours(run_id: str | None) -> bool:
            entry = self._registry.followed(call.api.run_key(server, run_id or "", conversation_id))
            if entry is None:
                return False
            entry.renew()  # the page may show what no poll did
            return True

        return is_ours

    def _held(self, given: Any, api: Api) -> Held:
        return held(given, api.calls_path)

    # ------------------------------------------------------------ streams and raw responses

    def _stream(self, call: Call, stream: Any, *, is_async: bool) -> None:
        if not call.match.route.starts_run:
            self._put(call)
        response, tap = getattr(stream, "response", None), self._tap(Tap, call)
        if response is None or not is_no_event_stream(response):
            try:
                if tap_events(stream, tap, is_async=is_async):
                    return
            except Exception as error:
                swallow("look into a stream", error)
        tap.disuse()
        tap_bytes(response, self._tap(ChunkTap, call))

    def _raw(self, call: Call, result: Any, http: Any) -> None:
        """A raw response: its bytes, now if they are read already, else while the app reads them."""
        if not call.streams and http.is_closed and http.is_stream_consumed:  # nearly always
            self._body(call, http.content or None, result)
            return
        given = weakref.ref(result)
        if call.streams:
            tap_bytes(http, self._opened(call, given))
        else:
            tap_bytes(http, BodyTap(lambda body: self._body(call, body, given())))


def _http_of(call: Call, result: Any) -> Any:
    """The HTTP response of a raw response, or one that the app asked for itself (`cast_to=`). None: it is an object of the API."""
    if call.streams:  # by `__dict__`, a stream's fields would move into a dict younger than its generator: see `clients/reads.py`
        return getattr(result, "http_response", None) or (
            result if hasattr(result, "is_stream_consumed") else None
        )
    fields = getattr(result, "__dict__", _NOTHING)  # not by getattr: pydantic makes 5 us of a missing field
    return fields.get("http_response") or (result if "is_stream_consumed" in fields else None)
