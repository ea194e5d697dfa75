"""A call of ours when it is over: what the app got, for the worker; streams are tapped.

A poll that shows nothing new only touches its run's entry. `Results` has what all client libraries share; what each of them hands
its app is read by a class of its own.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from ..apis.api import Api
from ..core.model import ApiError, Phase
from ..core.sse import is_event_stream
from ..guard import guarded, swallow
from ..runtime import tool_claims
from ..runtime.admission import call_of
from ..runtime.clock import now_ns
from ..runtime.handoffs import Handoffs
from ..runtime.records import Call, Payload, StreamRef, decode
from ..runtime.registry import RunRegistry
from ..runtime.work_unit import WorkUnit
from . import result_copy
from .errors import read_error
from .library import Library
from .taps import ChunkTap, Tap

NOT_FOUND = 404
AnyTap = TypeVar("AnyTap", bound=Tap)


class Results:
    """`put` hands records to the worker; `lose` ends what a call that never reaches it has begun."""

    gets_refusals = False  # as results; most libraries raise them

    def __init__(
        self,
        library: Library,
        put: Callable[[Any], None],
        registry: RunRegistry,
        handoffs: Handoffs,
        count_unrecorded: Callable[[], None],
        lose: Callable[[Call], object],
    ) -> None:
        self._library = library
        self._put = put
        self._registry = registry
        self._handoffs = handoffs
        self._count_unrecorded = count_unrecorded
        self._lose = lose

    def done(self, call: Call, result: Any, *, is_async: bool) -> None:
        """The call gave `result`. Never raises."""
        try:
            call.response_ns = now_ns()
            if self.gets_refusals and self._is_refused(call, result, is_async=is_async):
                return
            route = call.match.route
            is_unrecorded = call.live is not None and self._let_go_unrecorded(call)
            if route.is_apart:
                if call.live is not None:
                    self._read_apart(call, result)
                return
            self._renew(call)
            if is_unrecorded and route.starts_run and call.streams:
                self._put(call)  # to be counted
            else:
                self._read(call, result, is_async=is_async)
        except Exception as error:
            swallow("observe a call", error)
            self._let_go(call)

    def _is_refused(self, call: Call, result: Any, *, is_async: bool) -> bool:
        """Whether the result is a refusal of the server, which was noted then."""
        raise NotImplementedError

    def _read(self, call: Call, result: Any, *, is_async: bool) -> None:
        raise NotImplementedError

    def _read_apart(self, call: Call, result: Any) -> None:
        """Of a call that tells nothing of runs and has a span."""
        raise NotImplementedError

    def failed(self, call: Call, error: BaseException, client: Any, request: Any) -> None:
        """The call raised `error`. Never raises."""
        try:
            call.response_ns = now_ns()
            self._library.note_secrets(client, request, error)
            self._refused(call, read_error(error), getattr(error, "status_code", None))
        except Exception as ours:
            swallow("note a failed call", ours)
            self._let_go(call)

    def _refused(self, call: Call, error: ApiError, status: int | None) -> None:
        call.error = error
        call.is_not_found = status == NOT_FOUND
        self._let_go_unrecorded(call)
        self._renew(call)
        self._put(call)

    def _renew(self, call: Call) -> None:
        """What a write did to its run, the next poll shows."""
        if not call.match.route.is_write:
            return
        entry = self._registry.get(call.run_key)
        if entry is not None:
            entry.renew()
            if call.match.route.answers_calls and call.error is None:
                tool_claims.waits_no_more(entry)

    def _let_go(self, call: Call) -> None:
        """We failed on it, but its span is open: have the worker end it."""
        with guarded("let go of a call"):
            if call.live is not None:
                self._hand_over(call)

    def _hand_over(self, record: Any) -> None:
        """To the worker; where that fails, nothing may stay of what would have ended with the record."""
        try:
            self._put(record)
        except Exception:
            call = call_of(record)
            if call is not None:
                self._lose(call)
            raise

    def _let_go_unrecorded(self, call: Call) -> bool:
        """Sampled out: the run is neither followed nor fetched, a write makes no span."""
        if call.live is None or call.live.span.is_recording():
            return False
        if call.match.route.starts_run:
            self._count_unrecorded()
            call.unsampled = call.live.span.get_span_context()
        call.live = None
        return True

    # ------------------------------------------------------------ runs

    def _polled(self, call: Call, run: Any, whole: Callable[[Any], Payload], given: Any) -> None:
        """`run`: an object of the client or a dict; `whole(run)`: all of it, for the worker; `given`: what the app got."""
        if call.entry is None:
            self._share(call, run)
        other = self._also(call, run) if self._renames(call) else None
        is_whole = call.met is not None or call.match.run_id in self._registry.expected
        shown = None if is_whole else result_copy.alive(run, call.api)
        if shown is not None and other is not None:  # it is the same run, whatever it is called
            shown = tuple(None if value == other else value for value in shown)
        entry = call.entry or self._registry.get(call.run_key)
        if entry is not None:
            if shown is None:
                entry.renew()  # the next poll may show again what an earlier one showed
            elif entry.touch(shown, call.request_ns, call.response_ns):
                return
        call.result = whole(run) if shown is None else result_copy.polled(call.api, shown)
        self._waits(call, call.result, given)
        self._put(call)

    def _share(self, call: Call, result: Any) -> None:
        """A run of another process may carry its identity."""
        if call.run_key is not None and self._registry.followed(call.run_key) is None:
            is_announced = self._registry.is_announced(call.match.run_id)
            self._handoffs.share(call, result_copy.carried(result, call.api, is_announced=is_announced))

    def _also(self, call: Call, run: Any) -> str | None:
        """The id by which the answer calls a run that is followed under another one. Servers that keep threads keep ids."""
        run_id, other = call.match.run_id, result_copy.word(run, "id")
        if other is None or run_id is None or other == run_id:
            return None
        self._registry.also(call.server.base_url, run_id, other)
        return other

    def _renames(self, call: Call) -> bool:
        """Whether the answer may call a followed run by another id."""
        if call.entry is None or call.api.paths_name_conversations:
            return False
        return call.match.route.is_poll or call.match.route.cancels

    def _learn(self, call: Call, run: Any) -> None:
        """From now on polls of this run are worth a copy, and its tools belong under its span.

        One that the worker could not follow, as it names no conversation, is not learnt: nothing would ever forget it.
        """
        if not call.match.route.starts_run:
            return
        run_id = result_copy.word(run, "id")
        conversation_id = call.match.conversation_id or result_copy.word(
            run, call.api.conversation_field or ""
        )
        if run_id is None:
            return
        if call.live is None:
            self._registry.unsampled.put(run_id, call.unsampled)
        elif conversation_id is not None:
            call.live.response_ns, call.live.conversation_id = call.response_ns, call.match.conversation_id
            call.learnt = call.api.run_key(call.server.base_url, run_id, conversation_id)
            entry = self._registry.learn(call.learnt, call.live)
            shown = None if call.streams else result_copy.alive(run, call.api)
            if shown is not None:
                entry.touch(shown, call.request_ns, call.response_ns)
            told = call.api.conversation_of(run_id, conversation_id, call.live.asked)
            self._registry.is_in(call.server.base_url, run_id, told)

    def _waits(
        self,
        call: Call,
        payload: Any,
        given: Any,
        unit: WorkUnit | None = None,
        *,
        is_part: bool = False,
    ) -> None:
        """A run waits for tool outputs: leave its calls where the app's own tools look for them. The app got them in `given`.

        `unit`: where it works on them, if that is not here. `is_part`: the run may wait for others, too.
        """
        api, run = call.api, None
        if isinstance(payload, bytes) and api.waits_mark and api.waits_mark in payload:
            run = api.read_run(decode(payload), call.match.conversation_id)
        if run is not None:
            key = api.run_key(call.server.base_url, run.id, run.conversation_id)
            entry = self._registry.get(key)
            if entry is not None and (run.phase is Phase.WAITING or run.required):
                if not self._registry.holds(key, entry):  # it was taken over
                    self._registry.arrive(key, entry)
                named = entry.live.asked, run.belongs_to
                conversation_id = api.conversation_of(run.id, run.conversation_id, *named)
                calls = tool_claims.calls_of(run, conversation_id, key, entry, now_ns())
                tool_claims.saw(entry, calls, self._held(given, api), unit, is_part=is_part)
            elif entry is not None and not is_part:
                tool_claims.waits_no_more(entry)
        elif call.match.route.is_poll or call.match.route.cancels:
            tool_claims.waits_no_more(self._registry.get(call.run_key))

    def _held(self, given: Any, api: Api) -> tool_claims.Held:
        """References to what the app holds of a run that waits, and got in `given`. This one: `given` itself."""
        return result_copy.references([given])

    # ------------------------------------------------------------ streams and bodies

    def _tap(self, kind: type[AnyTap], call: Call, given: weakref.ref[Any] | None = None) -> AnyTap:
        return kind(
            self._hand_over,
            StreamRef.of(call),
            lambda run: self._learn(call, run),
            lambda run, event_data, is_part: self._waits(
                call, run, given() if given else event_data, is_part=is_part
            ),
        )

    def _opened(self, call: Call, given: weakref.ref[Any] | None = None) -> ChunkTap:
        """A stream that is read as bytes. What its call submitted counts at once; its run follows in events."""
        if not call.match.route.starts_run:
            self._put(call)
        return self._tap(ChunkTap, call, given)

    def _body(self, call: Call, body: bytes | None, given: Any) -> None:
        """The body of a raw response, now whole. Some servers answer with events whatever they were asked for."""
        if body is not None and is_event_stream(body):
            call.streams = True
            self._opened(call).see_whole(body)
            return
        call.result = body
        if body is not None and call.entry is not None and call.match.route.is_poll:
            self._polled(call, result_copy.run_in(body, call.api), lambda _: body, given)
            return
        if body is not None and call.match.route.starts_run:
            self._learn(call, result_copy.run_in(body, call.api))
        elif body is not None and self._renames(call):
            self._also(call, result_copy.run_in(body, call.api))
        self._waits(call, body, given)
        self._put(call)
