"""What a pipeline of azure-core hands its client: an HTTP response, read already or to be streamed."""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import partial
from typing import Any

from ...apis.api import Api
from ...guard import swallow
from ...runtime import work_unit
from ...runtime.clock import now_ns
from ...runtime.records import Call, HandlerError, StreamRef
from ...runtime.tool_claims import Held
from ...runtime.work_unit import WorkUnit
from .. import result_copy
from ..errors import read_error, refusal
from ..results import Results
from ..taps import BodyTap, ChunkTap
from .holding import held
from .stream_taps import tap_stream


class AzureCoreResults(Results):
    gets_refusals = True

    def _is_refused(self, call: Call, result: Any, *, is_async: bool) -> bool:
        """Refusals are results here; it is the client that raises, later."""
        http = result.http_response
        status = http.status_code
        if status >= 400 or call.match.route.starts_run:
            self._library.note_secrets(None, result.http_request)
        if status < 400:
            return False
        refuse = partial(self._refused_by, call, status)
        if call.streams and not http.is_stream_consumed:  # a policy of the app may have read it
            tap_stream(http, BodyTap(refuse), lambda _: None, is_async=is_async)
        else:
            refuse(_content(http))
        return True

    def _refused_by(self, call: Call, status: int, body: bytes | None) -> None:
        """Never raises: the app may read the body when it likes."""
        try:
            self._refused(call, refusal(body or b"", status), status)
        except Exception as ours:
            swallow("note a refused call", ours)
            self._let_go(call)

    def _read(self, call: Call, result: Any, *, is_async: bool) -> None:
        http = result.http_response
        if call.streams:
            self._stream(call, http, is_async=is_async)
            return
        body: bytes = http.content
        run = _decoded(http) if call.run_key is not None or call.match.route.is_poll else None
        if call.match.route.is_poll:
            self._polled(call, run, lambda _: body, run)
        else:
            self._share(call, run)
            self._body(call, body, run)

    def _read_apart(self, call: Call, result: Any) -> None:
        if not call.match.route.gives_file and not call.match.route.is_list:
            call.result = result.http_response.content
        self._put(call)

    def _stream(self, call: Call, http: Any, *, is_async: bool) -> None:
        if not call.match.route.starts_run:
            self._put(call)
        response, began = weakref.ref(http), work_unit.here()
        tap = ChunkTap(
            self._hand_over,
            StreamRef.of(call),
            partial(self._learn, call),
            lambda run, _, is_part: self._waits(call, run, response(), _since(began), is_part=is_part),
        )
        tap_stream(http, tap, partial(self._raised, tap), is_async=is_async)

    def _raised(self, tap: ChunkTap, error: BaseException) -> None:
        if not tap.has_raised(error):
            self._put(HandlerError(tap.stream, now_ns(), read_error(error), id(error)))

    def _held(self, given: Any, api: Api) -> Held:
        return held(given, api.calls_path) if isinstance(given, dict) else result_copy.references([given])


def _since(began: WorkUnit) -> WorkUnit:
    """The unit of work of the running code, which began where its stream did: what the client reads in one piece, its handler
    works on in several calls.
    """
    now = work_unit.here()
    return replace(now, stack=began.stack) if now.worker == began.worker else now


def _content(http: Any) -> bytes | None:
    """None: its bytes were read and not kept."""
    try:
        content: bytes = http.content
    except Exception:
        return None
    return content


def _decoded(http: Any) -> Any:
    """The body as a value, which the response keeps: the client makes its models of the same one. None: it is no JSON."""
    try:
        return http.json()
    except (ValueError, RecursionError):
        return None
