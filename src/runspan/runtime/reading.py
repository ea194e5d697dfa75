"""Records -> observations -> tracker: where what the app got is read, on the worker's thread."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..adapters import assistants, sse, wire
from ..adapters.assistants import Exchange
from ..core.model import ApiError, Observation, Source, SpanEvent
from ..core.redact import Texts
from .emit import Emitter
from .live import Live
from .records import (
    Call,
    Fetched,
    HandlerError,
    Page,
    Payload,
    StreamChunk,
    StreamClosed,
    StreamEvent,
    StreamRef,
)
from .tracker import Tracker


def decode(payload: Payload) -> Mapping[str, Any]:
    """JSON bytes or ready fields; anything that is not an object reads as empty."""
    value = json.loads(payload) if isinstance(payload, bytes) else payload
    return value if isinstance(value, dict) else {}


def _response(result: Payload | Page) -> Mapping[str, Any]:
    if isinstance(result, Page):
        return {"data": [decode(item) for item in result.data], "has_more": result.has_more}
    return decode(result)


class Reader:
    """Takes the records in the order in which they came."""

    def __init__(self, tracker: Tracker, emitter: Emitter, texts: Texts, joins: bool) -> None:
        self._tracker = tracker
        self._emitter = emitter
        self._texts = texts
        self._joins = joins
        self._parsers: dict[int, sse.Parser] = {}  # of streams read as raw bytes, by id(StreamRef)

    # ------------------------------------------------------------ calls

    def call(self, call: Call) -> None:
        if call.match.route.starts_run:
            self._start(call)
        elif (
            call.streams
        ):  # submit_tool_outputs(stream=True): its outputs count at once, the run follows in events
            self._observe(call, self._exchange(call, {}))
            self._tracker.call_span(call, None)
        elif call.error is not None:
            self._tracker.call_span(call, None)
        else:
            seen = self._observe(call, self._exchange(call, _response(call.result)))
            self._tracker.call_span(call, seen)

    def _exchange(self, call: Call, response: Mapping[str, Any]) -> Exchange:
        call.is_taken = True
        polls = call.taken_polls() if call.match.route.is_poll else 0
        return Exchange(
            call.match,
            call.request_ns,
            call.response_ns,
            decode(call.body),
            call.query,
            response,
            polls=polls,
        )

    def _observe(self, call: Call, exchange: Exchange) -> Observation:
        seen = call.match.route.read(exchange)
        self._tracker.observe(call.server, seen, _weight(call.result))
        if call.newest is not None:  # the last of the polls that this one stands for
            request_ns, response_ns = call.newest
            again = Exchange(call.match, request_ns, response_ns, response=exchange.response)
            self._tracker.observe(call.server, call.match.route.read(again))
        for run in seen.runs:
            if run.status in (
                "queued",
                "in_progress",
                "requires_action",
                "cancelling",
            ) and self._tracker.is_foreign(call.server, run):
                self._foreign(call, seen)
        return seen

    def _foreign(self, call: Call, seen: Observation) -> None:
        """A live run of another process. A page of runs is history; retrieve, cancel and submit take part in it."""
        run = seen.runs[0]
        if not self._joins:
            self._tracker.name_foreign(run)
        elif len(seen.runs) == 1 and call.match.run_id is not None:
            live = self._emitter.begin_joined(self._tracker.joined(call, run), call.context)
            if live.span.is_recording():
                self._tracker.join(call, run, live)
                self._tracker.observe(call.server, seen)

    def _start(self, call: Call) -> None:
        body = decode(call.body)
        request = wire.run_request(body, call.streams)
        if call.error is not None:
            self._tracker.failed_start(call, request, call.error)
        elif not call.streams:
            exchange = self._exchange(call, _response(call.result))
            seen = call.match.route.read(exchange)
            if seen.runs:
                self._tracker.begin(call, request, seen)
                self._tracker.observe(call.server, seen, _weight(call.result) + _weight(call.body))
            else:
                self._tracker.lost_start(call, request, call.response_ns, "unread")

    # ------------------------------------------------------------ streams

    def event(self, event: StreamEvent) -> None:
        stream = event.stream
        data = decode(event.payload)
        seen = assistants.read_event(event.name, data, event.at_ns)
        if seen.created_thread:
            stream.thread_id = seen.thread_id
            seen = self._with_sent_messages(stream, seen, data)
        call = stream.call
        if seen.runs and stream.run_id is None:
            stream.run_id, stream.thread_id = seen.runs[0].id, seen.runs[0].thread_id
            live = self._begin_streamed(stream, seen)
            if live is not None:
                self._tracker.stream_opened(live)
        self._tracker.observe(call.server, seen, _weight(event.payload))
        self._tracker.first_token(call.server, stream)

    def _with_sent_messages(
        self, stream: StreamRef, seen: Observation, data: Mapping[str, Any]
    ) -> Observation:
        """`POST /threads/runs` as a stream: the thread's messages stand in the request."""
        exchange = Exchange(
            stream.call.match,
            stream.call.request_ns,
            seen.response_ns,
            decode(stream.call.body),
            response=data,
        )
        return assistants.with_thread_of(exchange, seen)

    def _begin_streamed(self, stream: StreamRef, seen: Observation) -> Live | None:
        call = stream.call
        if not call.match.route.starts_run:
            return self._tracker.get(call.server, stream.thread_id, stream.run_id)
        return self._tracker.begin(call, wire.run_request(decode(call.body), True), seen)

    def chunk(self, chunk: StreamChunk) -> None:
        """Bytes of a stream that the app reads itself: the same events, cut out here."""
        parser = self._parsers.setdefault(id(chunk.stream), sse.Parser())
        for name, data in parser.feed(chunk.data):
            self._raw_event(chunk.stream, name, data, chunk.at_ns)

    def _raw_event(self, stream: StreamRef, name: str, data: str, at_ns: int) -> None:
        if name in assistants.DELTAS:
            if name == assistants.FIRST_TOKEN:
                if stream.first_token_ns is None:
                    stream.first_token_ns = at_ns
                assistants.collect_delta(decode(data.encode()), stream.texts)
            return
        if name == "error":
            error = wire.error(wire.mapping(decode(data.encode()), "error") or decode(data.encode()))
            stream.broken = error or ApiError("error")
        elif name.startswith("thread."):
            if name in ("thread.message.completed", "thread.message.incomplete"):
                stream.texts.pop(wire.text(decode(data.encode()), "id") or "", None)
            self.event(StreamEvent(stream, name, at_ns, data.encode()))

    def closed(self, closed: StreamClosed) -> None:
        stream = closed.stream
        self._parsers.pop(id(stream), None)
        error = closed.error or stream.broken
        call = stream.call
        live = self._tracker.get(call.server, stream.thread_id, stream.run_id)
        if live is not None:
            self._tracker.stream_closed(live, stream, error, closed.is_whole)
        elif stream.run_id is None and call.match.route.starts_run:
            request = wire.run_request(decode(call.body), True)
            call.response_ns = max(call.response_ns, closed.at_ns)
            if error is not None:
                self._tracker.failed_start(call, request, error)
            else:
                self._tracker.lost_start(call, request, closed.at_ns, "stream_closed")

    def handler_error(self, failure: HandlerError) -> None:
        stream = failure.stream
        live = self._tracker.get(stream.call.server, stream.thread_id, stream.run_id)
        if live is not None:
            message = self._texts.keep("error", failure.error.message)
            attributes: dict[str, Any] = {"exception.type": failure.error.code, "exception.escaped": True}
            if message:
                attributes["exception.message"] = message
            self._tracker.note(live, SpanEvent("exception", failure.at_ns, attributes))

    # ------------------------------------------------------------ fetches

    def fetched(self, fetched: Fetched) -> None:
        live = self._tracker.get_by_key(fetched.key)
        seen = None
        if live is not None and fetched.payload is not None:
            path, query = self._tracker.where(live, fetched.what)
            match = assistants.match("get", path)
            if match is not None:
                exchange = Exchange(
                    match,
                    fetched.request_ns,
                    fetched.response_ns,
                    {},
                    query,
                    decode(fetched.payload),
                    Source.FETCH,
                )
                seen = match.route.read(exchange)
        self._tracker.fetched(fetched.key, fetched.what, seen)


def _weight(payload: Payload | Page) -> int:
    if isinstance(payload, Page):
        return sum(map(_weight, payload.data))
    return len(payload) if isinstance(payload, bytes) else 0
