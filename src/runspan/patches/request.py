"""The choke point: `SyncAPIClient.request` and `AsyncAPIClient.request` of the official client, wrapped.

Every logical call passes here once: helpers, streams, raw responses, pages, copies of clients, objects made before us; above
retries and below the deprecation warnings. The user's call is made exactly once, outside any `try` of ours that could alter its
outcome, and its result is handed back as the very same object.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..adapters import wire
from ..adapters.sse import is_event_stream
from ..core.model import Assistant
from ..core.secrets import Secrets
from ..guard import guarded, swallow
from ..runtime import emit, grouped, pending
from ..runtime.clock import now_ns
from ..runtime.custody import Custody
from ..runtime.emit import Emitter
from ..runtime.pending import Claimable, Key
from ..runtime.records import Call, LiveSpan, StreamRef, Via, decode
from . import background, clients, propagate, snapshot, starts
from . import options as options_of
from .background import OURS
from .errors import read_error
from .holding import held
from .neighbours import SUPPRESSING
from .streams import is_no_event_stream, tap_bytes, tap_events
from .taps import BodyTap, ChunkTap, Tap

Wrapped = Callable[..., Any]

_NOTHING: Mapping[str, Any] = {}
AnyTap = TypeVar("AnyTap", bound=Tap)


class Patch:
    """What the wrapped methods do. One per `instrument()`; `put` hands records to the worker."""

    def __init__(
        self,
        emitter: Emitter,
        put: Callable[[Any], None],
        ours: set[str],
        assistant_of: Callable[[tuple[str, str]], Assistant | None],
        secrets: Secrets,
        *,
        calls: str,
        joins: bool,
        propagates: bool,
        count_unrecorded: Callable[[], None],
        runs: dict[Key, Claimable],
        custody: Custody,
        on_run: Callable[[Any], None],
    ) -> None:
        self._emitter = emitter
        self._put = put
        self._ours = ours
        self._assistant_of = assistant_of
        self._secrets = secrets
        self._noted: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()  # client -> its key
        self._calls = calls
        self._joins = joins
        self._propagates = propagates
        self._custody = custody
        self._count_unrecorded = count_unrecorded
        self._on_run = on_run  # told what stands on the client itself in place of `request`
        self._runs = runs  # those that live

    # ------------------------------------------------------------ the two wrappers

    def request(self, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = self._begin(client, args, kwargs, is_async=False)
        if call is None:
            return wrapped(*args, **kwargs)
        if call.sends is not None:
            args, kwargs = propagate.instead(call, args, kwargs)
        token = self._enter(call.live) if call.live is not None else None
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            if token is not None:
                self._leave(token)
            self._failed(call, error, client)
            raise
        if token is not None:
            self._leave(token)
        self._done(call, result, is_async=False)
        return result

    def arequest(self, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if options_of.match_of(args, kwargs) is None:
            return wrapped(*args, **kwargs)
        return self._arequest(wrapped, client, args, kwargs)

    async def _arequest(
        self, wrapped: Wrapped, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call = self._begin(client, args, kwargs, is_async=True)
        if call is None:
            return await wrapped(*args, **kwargs)
        if call.sends is not None:
            args, kwargs = propagate.instead(call, args, kwargs)
        token = self._enter(call.live) if call.live is not None else None
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            if token is not None:
                self._leave(token)
            self._failed(call, error, client)
            raise
        if token is not None:
            self._leave(token)
        self._done(call, result, is_async=True)
        return result

    # ------------------------------------------------------------ before

    def _begin(
        self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_async: bool
    ) -> Call | None:
        """The record of a call of ours, with its span begun; None: pass it through."""
        match = options_of.match_of(args, kwargs)
        if match is None:
            return None
        call: Call | None = None
        try:
            options = args[1] if len(args) > 1 else kwargs["options"]
            is_ours = options_of.header(options, OURS)  # ddtrace's contexts keep no suppression
            if is_ours or (emit.is_suppressed() and not self._is_by_neighbour(client)):
                return None
            call = Call(match, clients.server_of(client), now_ns())
            streams = bool(kwargs.get("stream"))
            return call if self._begin_call(call, client, options, streams, is_async=is_async) else None
        except Exception as error:
            swallow("begin to observe a call", error)
            with guarded("let go of a call that could not be begun"):
                if call is not None and (live := call.take_span()) is not None:
                    live.span.end()
            return None

    def _begin_call(self, call: Call, client: Any, options: Any, streams: bool, *, is_async: bool) -> bool:
        """False: pass it through."""
        route = call.match.route
        if options.params or "?" in options.url:
            call.query = options_of.query(options)
        if route.is_apart:
            return self._begin_apart(call, options)
        if self._custody.may_meet(call.match.run_id):
            call.via = self._via(call, client, options, is_async=is_async)
        if route.is_write:
            self._begin_write(call, client, options, streams, is_async=is_async)
        elif self._calls == "all" or self._joins:
            call.context = emit.slim_context()
        return True

    def _is_by_neighbour(self, client: Any) -> bool:
        """Suppressed by a tracer of the same client (Logfire), for those below it: not meant for us. Next time we go past it."""
        if not emit.name_of_current_scope().startswith(SUPPRESSING):
            return False
        self._on_run(_own_request(client))
        return True

    def _begin_write(self, call: Call, client: Any, options: Any, streams: bool, *, is_async: bool) -> None:
        call.streams = streams
        route, sent = call.match.route, None
        if route.reads_body:
            with guarded("copy a request"):
                sent = options_of.sent(options)
                call.body = options_of.dumped(sent)
        if route.starts_run:
            self._note_secrets(client)
            call.via = self._via(call, client, options, is_async=is_async)
            call.live = self._emitter.begin(starts.run_data(call, sent, self._assistant_of))
            call.context = call.live.context
            if self._propagates and call.live.span.is_recording():
                propagate.put_key(call, call.live, options, self._custody)
            self._on_run(_own_request(client))
        elif self._calls != "none":
            call.context = emit.slim_context()
            if self._calls == "all" or emit.is_under_recording_span():
                call.live = self._emitter.begin(starts.call_data(call))

    @staticmethod
    def _via(call: Call, client: Any, options: Any, *, is_async: bool) -> Via | None:
        """How to ask for more of this run later; None: not possible."""
        with guarded("keep what a background request needs"):
            beta = options_of.header(options, "OpenAI-Beta")
            return background.via(client, call.server.base_url, beta, is_async=is_async)
        return None

    def _begin_apart(self, call: Call, options: Any) -> bool:
        """A call that tells nothing of runs: for its own span, or as a part of its helper's. False: pass it through."""
        route, group = call.match.route, grouped.current()
        if group is not None:
            group.saw(route.operation, is_poll=not route.is_write)
            return False
        if self._calls == "none" or route.is_poll or not (route.is_write or self._calls == "all"):
            return False
        call.context = emit.slim_context()
        if self._calls == "all" or emit.is_under_recording_span():
            if route.reads_body:
                call.body = options_of.dumped(options_of.sent(options))  # never a file: those travel apart
            call.live = self._emitter.begin(starts.call_data(call))
        return True

    def _enter(self, live: LiveSpan) -> Any:
        with guarded("enter the context of a call"):
            return emit.enter(live)
        return None

    def _leave(self, token: Any) -> None:
        with guarded("leave the context of a call"):
            emit.leave(token)

    # ------------------------------------------------------------ after

    def _failed(self, call: Call, error: BaseException, client: Any) -> None:
        try:
            call.response_ns = now_ns()
            self._note_secrets(client, error)
            call.error = read_error(error)
            self._let_go_unrecorded(call)
            self._put(call)
        except Exception as ours:
            swallow("note a failed call", ours)
            self._let_go(call)

    def _note_secrets(self, client: Any, error: BaseException | None = None) -> None:
        """Servers repeat them in what they say, also of a run that failed later."""
        with guarded("note the keys of a client"):
            key = getattr(client, "api_key", None)
            if error is None and self._noted.get(client, self) is key:
                return
            self._noted[client] = key
            self._secrets.add(clients.secrets_of(client))
            if error is not None:
                self._secrets.add(clients.secrets_sent(error))

    def _done(self, call: Call, result: Any, *, is_async: bool) -> None:
        try:
            call.response_ns = now_ns()
            if call.match.route.is_apart:
                self._done_apart(call, result)
                return
            if call.match.route.operation == "submit_tool_outputs":
                pending.waits_no_more(self._asking(call.run_key))
            is_unrecorded_run = self._let_go_unrecorded(call) and call.match.route.starts_run
            # Of raw responses, on the instance. Not getattr: pydantic makes 5 us of a missing one.
            http = getattr(result, "__dict__", _NOTHING).get("http_response")
            if is_unrecorded_run and call.streams:
                self._put(call)  # to be counted
            elif http is not None:
                self._raw(call, result, http)
            elif isinstance(result, str):  # the client hands on what does not call itself JSON
                self._body(call, result.encode("utf-8", "replace"), None)
            elif not call.streams:
                self._plain(call, result)
            else:
                self._stream(call, result, is_async=is_async)
        except Exception as error:
            swallow("observe a call", error)
            self._let_go(call)

    def _done_apart(self, call: Call, result: Any) -> None:
        self._let_go_unrecorded(call)
        if call.live is None:
            return
        http = getattr(result, "__dict__", _NOTHING).get("http_response")
        if call.match.route.gives_file or call.match.route.operation.startswith("list_"):
            self._put(
                call
            )  # without its answer: files are the app's alone, a list says nothing that its span would
        elif http is not None:
            self._raw(call, result, http)
        else:
            call.result = snapshot.copy(result)
            self._put(call)

    def _let_go(self, call: Call) -> None:
        """We failed on it, but its span is open: have the worker end it."""
        with guarded("let go of a call"):
            if call.live is not None:
                self._put(call)

    def _let_go_unrecorded(self, call: Call) -> bool:
        """Sampled out: the run is neither followed nor fetched, a write makes no span."""
        if call.live is None or call.live.span.is_recording():
            return False
        if call.match.route.starts_run:
            self._count_unrecorded()
            call.unsampled = call.live.span.get_span_context()
        call.live = None
        return True

    def _plain(self, call: Call, result: Any) -> None:
        route, run_id = call.match.route, call.match.run_id
        if run_id is not None and run_id not in self._ours:
            self._custody.share(call, snapshot.carried(result))
        if route.is_poll:
            whole = self._joins or call.met is not None or run_id in self._custody.expected
            call.result = snapshot.run(result, whole=whole)
        elif route.operation.startswith("list_"):
            call.result = snapshot.page(result, route.operation, self._ours)
        else:
            call.result = snapshot.copy(result)
            if route.starts_run:
                self._learn(call, result)
        self._waits(call, call.result, result)
        self._put(call)

    def _learn(self, call: Call, run: Any) -> None:
        """From now on polls of this run are worth a copy, and its tools belong under its span.

        One that the worker could not follow, as it names no thread, is not learnt: nothing would ever forget it.
        """
        if not call.match.route.starts_run:
            return
        run_id = snapshot.word(run, "id")
        thread_id = call.match.thread_id or snapshot.word(run, "thread_id")
        if call.live is None:
            self._custody.note_unsampled(run_id, call.unsampled)
        elif run_id is not None and thread_id is not None:
            call.live.response_ns, call.live.thread_id = call.response_ns, call.match.thread_id
            call.learnt = call.server.base_url, run_id, thread_id
            self._ours.add(run_id)
            self._runs[call.learnt] = Claimable(call.live)

    def _waits(self, call: Call, payload: Any, given: Any) -> None:
        """A Run waits for tool outputs: leave its calls where the app's own tools look for them. The app got them in `given`."""
        run = None
        if isinstance(payload, bytes) and b'"requires_action"' in payload:
            run = wire.run(decode(payload), call.match.thread_id)
        if run is not None and run.status == "requires_action":
            key = call.server.base_url, run.id, run.thread_id
            of = self._asking(key)
            if of is not None:
                self._runs.setdefault(key, of)
                pending.saw(of, pending.calls_of(run, key, of, now_ns()), held(given))
        elif call.match.route.is_poll or call.match.route.operation == "cancel_thread_run":
            pending.waits_no_more(self._asking(call.run_key))

    def _asking(self, key: Key) -> Claimable | None:
        """The live run of that id, also one that was taken over and not read here yet."""
        return self._runs.get(key) or self._runs.get(pending.unread(key[1]))

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

    def _tap(self, kind: type[AnyTap], call: Call, given: weakref.ref[Any] | None = None) -> AnyTap:
        return kind(
            self._put,
            StreamRef(call),
            lambda run: self._learn(call, run),
            lambda run, event_data: self._waits(call, run, given() if given else event_data),
        )

    def _raw(self, call: Call, result: Any, http: Any) -> None:
        """A raw response: its bytes, now if they are read already, else while the app reads them."""
        given = weakref.ref(result)
        if call.streams:
            tap_bytes(http, self._opened(call, given))
        else:
            tap_bytes(http, BodyTap(lambda body: self._body(call, body, given())))

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
        if body is not None and call.match.route.starts_run:
            self._learn(call, snapshot.ids_of(body))
        self._waits(call, body, given)
        self._put(call)


def _own_request(client: Any) -> Any:
    """What stands on the client itself in place of its class's method."""
    return getattr(client, "__dict__", _NOTHING).get("request")
