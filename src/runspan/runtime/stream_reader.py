"""Streams on the worker's thread: typed events, or bytes that the app reads itself, become the same observations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from ..apis.api import EventKind, Exchange
from ..core import sse
from ..core.model import ApiError, Observation, Phase, Source, SpanEvent
from ..core.redact import Texts
from ..guard import guarded
from . import told
from .call_spans import CallSpans
from .handoffs import STAMP_S, is_repeated
from .live_run import Live
from .records import (
    Call,
    HandlerError,
    StreamChunk,
    StreamClosed,
    StreamDeltas,
    StreamEvent,
    StreamRef,
    decode,
    weight,
)
from .tracker import Tracker

When = tuple[int | None, int]  # since_ns, at_ns of an event
Join = Callable[[Call, Observation], Live | None]


_NOTHING = Observation(request_ns=0, response_ns=0)
MAX_UNREAD = 8  # batches of deltas of one stream, of 128 each


class StreamReader:
    """`join` follows a run of another process whose stream this one opened, where that is asked for."""

    def __init__(self, tracker: Tracker, calls: CallSpans, texts: Texts, join: Join) -> None:
        self._tracker = tracker
        self._calls = calls
        self._texts = texts
        self._join = join

    def event(self, event: StreamEvent) -> None:
        when = (event.since_ns, event.at_ns)
        self._event(event.stream, event.name, when, decode(event.payload), weight(event.payload))

    def _event(
        self, stream: StreamRef, name: str, when: When, data: Mapping[str, Any], weight_bytes: int
    ) -> None:
        since_ns, at_ns = when
        call, kind = stream.call, stream.events.kind_of(name)
        if kind is EventKind.MESSAGE_BEGAN:  # those before it are of another message
            self._read_all(stream)
        conversation_id, run_id = self._ids(stream)
        seen = Observation(
            request_ns=at_ns if since_ns is None else since_ns,
            response_ns=at_ns,
            source=Source.STREAM,
            event=name,
            conversation_id=conversation_id,
            run_id=run_id,
        )
        seen = stream.events.read(data, seen)
        if kind is EventKind.MESSAGE_ENDED and any(message.parts for message in seen.messages):
            stream.unread = []
        if seen.created_conversation:
            stream.conversation_id = seen.conversation_id
            sent = Exchange(call.match, call.request_ns, at_ns, decode(call.body), response=data)
            seen = stream.events.complete(sent, seen)
        if stream.run_id is None:
            self._join_run(stream, seen)
        live = self._of(stream)
        if live is not None:
            is_met = call.met is live.span and not live.state.is_over
            if is_met and any(is_repeated(call, run, STAMP_S) for run in seen.runs):
                live.entry.settle("handed")  # it went out where its end was seen
            seen = told.keyed(live, stream, seen, kind)
            self._tracker.first_token(live, stream)
        self._tracker.observe(call.server, seen, weight_bytes)
        if live is not None and _is_last_word(seen):
            self._tracker.stream_told(live, stream)

    def _ids(self, stream: StreamRef) -> tuple[str | None, str | None]:
        """Of the conversation and the run, as far as they are known: a path may name them before any event does."""
        call = stream.call
        return stream.conversation_id or call.api.log_of(call.match), stream.run_id or call.match.run_id

    def _join_run(self, stream: StreamRef, seen: Observation) -> None:
        """The stream turns out to be of this run: by the first event that holds one, or because its path names one of ours."""
        conversation_id, run_id = self._ids(stream)
        if seen.runs:
            conversation_id, run_id = seen.runs[0].conversation_id, seen.runs[0].id
        elif self._tracker.get(stream.call.server, conversation_id, run_id) is None:
            return
        stream.run_id, stream.conversation_id = run_id, conversation_id
        live = self._live(stream, seen)
        if live is not None:
            live.open_streams += 1
            call = stream.call
            if seen.runs and call.match.route.is_poll:  # it tells anew what an earlier one told
                live.is_told_anew()
            stream.ids = live.ids
            if call.api.runs_apart and call.match.route.starts_run:  # what it was given stands in the request
                sent = Exchange(call.match, call.request_ns, seen.response_ns, decode(call.body))
                given = replace(
                    _NOTHING, source=Source.STREAM, conversation_id=conversation_id, run_id=run_id
                )
                self._tracker.observe(call.server, stream.events.complete(sent, given))

    def _of(self, stream: StreamRef) -> Live | None:
        """The run of ours that it tells of."""
        return self._tracker.get(stream.call.server, stream.conversation_id, stream.run_id)

    def _live(self, stream: StreamRef, seen: Observation) -> Live | None:
        call = stream.call
        if call.match.route.starts_run:
            request = self._tracker.request_of(call, decode(call.body), streams=True)
            return self._tracker.begin(call, request, seen)
        known = self._tracker.get(call.server, stream.conversation_id, stream.run_id)
        return known or self._join(call, seen)

    def deltas(self, deltas: StreamDeltas) -> None:
        """Pieces of texts wait unread: the message itself nearly always comes, and then nobody needs them."""
        unread = deltas.stream.unread
        if deltas.of_steps:
            self._read(deltas)
            return
        unread.append(deltas)
        if len(unread) > MAX_UNREAD:
            self._read(unread.pop(0))

    def _read_all(self, stream: StreamRef) -> None:
        unread, stream.unread = stream.unread, []
        for deltas in unread:
            self._read(deltas)

    def _read(self, deltas: StreamDeltas) -> None:
        if deltas.stream.run_id is None:
            self._join_run(deltas.stream, _NOTHING)
        for data in deltas.data:
            events = deltas.stream.events
            is_wrapped = not isinstance(data, tuple) and events.is_wrapped(data)
            _, delta = events.opened("", data) if is_wrapped else ("", data)
            told.piece(self._of(deltas.stream), deltas.stream, delta, of_steps=deltas.of_steps)

    # ------------------------------------------------------------ bytes

    def chunk(self, chunk: StreamChunk) -> None:
        stream = chunk.stream
        if stream.parser is None:
            stream.parser = sse.Parser()
        for name, text in stream.parser.feed(chunk.data):
            self._sent(stream, name, text, (chunk.since_ns, chunk.at_ns))

    def _sent(self, stream: StreamRef, name: str, text: str, when: When) -> None:
        name, data = stream.events.opened(name, text)
        kind = stream.events.kind_of(name)
        if kind is EventKind.ERROR:
            stream.broken = stream.events.error(data if isinstance(data, dict) else text)
        elif kind in (None, EventKind.SILENT) or not isinstance(data, dict):
            return
        elif kind is EventKind.TEXT_DELTA:
            if stream.first_token_ns is None:
                stream.first_token_since_ns, stream.first_token_ns = when
            told.piece(self._of(stream), stream, data, of_steps=False)
        elif kind in (EventKind.TEXT_WHOLE, EventKind.STEP_DELTA):
            told.piece(self._of(stream), stream, data, of_steps=kind is EventKind.STEP_DELTA)
        else:
            self._event(stream, name, when, data, len(text))

    # ------------------------------------------------------------ ends

    def closed(self, closed: StreamClosed) -> None:
        stream, call = closed.stream, closed.stream.call
        with guarded("read the end of a stream"):
            for name, text in stream.parser.finish() if stream.parser is not None else ():
                self._sent(stream, name, text, (closed.since_ns, closed.at_ns))
            self._read_all(stream)
        error = closed.error or stream.broken
        if call.match.route.starts_run:
            self._tracker.scheduler.earn(call.server.base_url, 1)
        live = self._of(stream)
        if live is not None:
            with guarded("read the open steps of a stream"):
                self._observe_open_steps(live, stream, closed.at_ns)
            self._tracker.stream_closed(live, stream, closed, error)
        elif call.match.route.starts_run:
            if call.live is not None:  # it never came to a run that is followed
                self._lost(call, error, closed.at_ns)
            self._tracker.unlearn(call)

    def _lost(self, call: Call, error: ApiError | None, at_ns: int) -> None:
        request = self._tracker.request_of(call, decode(call.body), streams=True)
        call.response_ns = max(call.response_ns, at_ns)
        if error is not None:
            self._calls.failed_start(call, request, error)
        else:
            self._calls.lost_start(call, request, at_ns, "stream_closed")

    def _observe_open_steps(self, live: Live, stream: StreamRef, at_ns: int) -> None:
        """Calls whose step did not complete in this stream; one that ended to wait for tool outputs was not cut."""
        steps = stream.steps.steps(is_cut=live.state.phase is not Phase.WAITING)
        if steps:
            key = live.key
            seen = Observation(
                request_ns=at_ns,
                response_ns=at_ns,
                source=Source.STREAM,
                conversation_id=key.conversation_id,
                run_id=key.run_id,
                steps=steps,
            )
            self._tracker.observe(stream.call.server, seen)

    def handler_error(self, failure: HandlerError) -> None:
        stream = failure.stream
        live = self._of(stream)
        if live is not None and live.noted_error != failure.identity:
            live.noted_error = failure.identity
            message = self._texts.keep("error", failure.error.message)
            attributes: dict[str, Any] = {"exception.type": failure.error.code, "exception.escaped": True}
            if message:
                attributes["exception.message"] = message
            self._tracker.note(live, SpanEvent("exception", failure.at_ns, attributes))


def _is_last_word(seen: Observation) -> bool:
    """Whether the server closes the stream behind this event: the run is over, or waits for tool outputs."""
    return seen.open_status is None and any(run.phase in (Phase.WAITING, Phase.OVER) for run in seen.runs)
