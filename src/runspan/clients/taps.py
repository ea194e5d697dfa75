"""What one stream shows, event by event or in bytes, and that it ended. It is handed to the worker, which reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..apis.api import RUNS, EventKind
from ..core.sse import Finder, Parser
from ..guard import guarded, swallow
from ..runtime.clock import now_ns
from ..runtime.records import StreamChunk, StreamClosed, StreamDeltas, StreamEvent, StreamRef
from .encodings import MAX_BYTES, Decoder
from .errors import read_error
from .long_texts import finished, left_out
from .pace import Pace
from .result_copy import copy, fields_of

Put = Callable[[Any], None]
Waits = Callable[[Any, Any, bool], None]

_TOLD_OTHERWISE = (None, EventKind.ERROR, EventKind.SILENT)
DELTAS_AT_ONCE = 128  # unread ones that a stream may hold
FIRST_EVENTS = 4  # of which one names the run


class Tap:
    """What one stream has shown so far. Any method may be called from the app's thread; none raises.

    `learn` is told the run at its first event, `waits` one that waits for tool outputs, the object in which the app gets it, and
    whether these calls are no more than some of those that the run asks for.
    """

    __slots__ = (
        "_deltas",
        "_events",
        "_has_learnt",
        "_is_closed",
        "_kind_of",
        "_learn",
        "_piece",
        "_put",
        "_raised",
        "_step_deltas",
        "_waits",
        "_waits_mark",
        "is_inside",
        "pace",
        "stream",
    )

    def __init__(self, put: Put, stream: StreamRef, learn: Callable[[Any], None], waits: Waits) -> None:
        self._put = put
        self._events = events = stream.events
        self._kind_of, self._piece = events.kinds.get, events.piece  # of nearly every event
        self._waits = waits
        self._learn = learn
        self._has_learnt = False
        self._is_closed = False
        # Deltas matter only if the stream is cut before their message, or their step, completes.
        self._deltas: list[Any] = []
        self._step_deltas: list[Any] = []
        self._waits_mark = stream.events.waits_mark.encode()
        self._raised: int | None = None  # identity of the error that broke the stream
        self.is_inside = False  # the client is at work on the next event
        self.pace = Pace(stream.call.request_ns)
        self.stream = stream

    def has_raised(self, error: BaseException) -> bool:
        """Whether `error` came out of the stream itself (or is what the client made of that), not out of the app."""
        causes = (error, error.__cause__, error.__context__)
        return self._raised is not None and any(id(c) == self._raised for c in causes if c is not None)

    def see(self, event: Any) -> None:
        try:
            events = self._events
            name, field = getattr(event, events.name_field, ""), events.data_field
            kind = self._kind_of(name) if isinstance(name, str) else None
            if kind is EventKind.TEXT_DELTA:  # nearly all of a stream
                self._delta(event if field is None else getattr(event, field))
                return
            if kind is None and isinstance(name, str):
                kind = events.unlisted(name)
            if kind is EventKind.SILENT:
                return
            data = event if kind is None or field is None else getattr(event, field)
            if kind is None or events.is_wrapped(data):
                name, data = events.opened(name, event)
                kind = events.kind_of(name)
            self._seen(name, kind, data)
        except Exception as error:
            swallow("look at a stream event", error)

    def _delta(self, data: Any) -> None:
        deltas, piece = self._deltas, self._piece(data)
        deltas.append(data if piece is None else piece)
        if self.stream.first_token_ns is None:
            self.stream.first_token_since_ns, self.stream.first_token_ns = self.pace.moment()
        elif len(deltas) >= DELTAS_AT_ONCE:
            self._hand_over_deltas()

    def _seen(self, name: str, kind: EventKind | None, data: Any) -> None:
        if kind is EventKind.TEXT_DELTA:
            self._delta(data)
            return
        if kind in (EventKind.TEXT_WHOLE, EventKind.STEP_DELTA):
            deltas = self._deltas if kind is EventKind.TEXT_WHOLE else self._step_deltas
            deltas.append(data)
            if len(deltas) >= DELTAS_AT_ONCE:
                self._hand_over_deltas()
            return
        if kind in _TOLD_OTHERWISE or self._is_closed:
            if kind is EventKind.ERROR:  # where the client does not raise it
                self.stream.broken = self._events.error(fields_of(data))
            return
        since_ns, at_ns = self.pace.moment()
        payload = copy(data)  # now: the app's handler lets some of them grow in place
        if kind is EventKind.MESSAGE_ENDED:
            if fields_of(data).get("content"):  # else the deltas are all there is
                self._deltas = []
        elif kind is EventKind.STEP_ENDED:
            self._step_deltas = []
            self._step_ended(payload, data)
        elif kind in RUNS:
            self._run(kind, fields_of(data), payload, data)
        self._put(StreamEvent(self.stream, name, at_ns, payload, since_ns))

    def _step_ended(self, payload: Any, step_object: Any) -> None:
        """It may ask the app for a tool call, which the app may run at once."""
        call = self.stream.call
        run_id = call.learnt[1] if call.learnt is not None else call.match.run_id
        if run_id is None or not isinstance(payload, bytes) or self._waits_mark not in payload:
            return
        run = self._events.asking(payload, run_id)
        if run is not None:
            self._waits(run, step_object, True)

    def _run(self, kind: EventKind, run: Any, payload: Any, run_object: Any) -> None:
        if not self._has_learnt:
            self._has_learnt = True
            self._learn(run)
        if kind is EventKind.CALLS_WAIT:
            self._waits(payload, run_object, False)

    def _hand_over_deltas(self) -> None:
        """The client does not let delta objects grow, so the worker can read them later."""
        if self._deltas:
            self._put(StreamDeltas(self.stream, self._deltas))
            self._deltas = []
        if self._step_deltas:
            self._put(StreamDeltas(self.stream, self._step_deltas, of_steps=True))
            self._step_deltas = []

    def close(self, error: BaseException | None = None, *, is_whole: bool = False) -> None:
        """The stream ended, broke, was closed, or was forgotten: once. `is_whole`: all of it was read."""
        if self._is_closed:
            return
        self._is_closed = True
        self._raised = None if error is None else id(error)
        with guarded("read the end of a stream"):
            self._hand_over_deltas()
        broke = None
        with guarded("read the error of a stream"):
            # A cancelled or interrupted reader closed its stream; nothing is wrong with the run.
            broke = read_error(error) if isinstance(error, Exception) else None
        since_ns = at_ns = now_ns()
        with guarded("place the end of a stream"):
            since_ns, at_ns = self.pace.moment()
        with guarded("note the end of a stream"):
            self._put(StreamClosed(self.stream, at_ns, broke, since_ns, not is_whole))

    def disuse(self) -> None:
        """It was put nowhere; another one takes its place."""
        self._is_closed = True

    def response_closed(self) -> None:
        """The client closes it also when it is about to give out, or to raise, the last thing."""
        if not self.is_inside:
            self.close()

    def __del__(self) -> None:
        self.close()


class ChunkTap(Tap):
    """A tap of an event stream that is read as bytes: parsed on the worker, but for what the app's tools must know at once."""

    __slots__ = ("_asks", "_beginning", "_first_events", "decoder")

    def __init__(self, put: Put, stream: StreamRef, learn: Callable[[Any], None], waits: Waits) -> None:
        super().__init__(put, stream, learn, waits)
        self._asks = Finder(stream.events.waits_mark)
        self._beginning = Parser() if stream.call.match.route.starts_run else None
        self._first_events = FIRST_EVENTS
        self.decoder: Decoder | None = None

    def see(self, data: bytes) -> None:
        if self._is_closed:
            return
        try:
            self._take(data if self.decoder is None else self.decoder.decode(data))
        except Exception as error:
            swallow("look at a chunk of a stream", error)

    def see_whole(self, data: bytes) -> None:
        self.see(data)
        self.close(is_whole=True)

    def _take(self, data: bytes) -> None:
        if self._beginning is not None:
            self._begun(self._beginning.feed(data))
        for name, text in self._asks.feed(data):
            self._asked(name, text)
        since_ns, at_ns = self.pace.moment()
        self._put(StreamChunk(self.stream, at_ns, data, since_ns))

    def _begun(self, events: Iterator[tuple[str, str]]) -> None:
        """The first events name the run: in time for its tools, and before the worker comes to it."""
        for name, text in events:
            name, run = self._events.opened(name, text)
            self._first_events -= 1
            if self._events.kind_of(name) in RUNS:
                self._has_learnt = True
                self._learn(run)
            if self._has_learnt or not self._first_events:
                self._beginning = None
                return

    def _asked(self, name: str, text: str) -> None:
        name, run = self._events.opened(name, text)
        kind = self._events.kind_of(name)
        if kind is EventKind.STEP_ENDED:
            self._step_ended(copy(run), None)
        elif kind is EventKind.CALLS_WAIT:
            if not self._has_learnt and self.stream.run_id is None:  # the worker has not come to it yet
                self._has_learnt = True
                self._learn(run)
            self._waits(copy(run), None, False)

    def close(self, error: BaseException | None = None, *, is_whole: bool = False) -> None:
        if not self._is_closed:
            with guarded("look at the end of a stream"):
                if self.decoder is not None and (rest := self.decoder.finish()):
                    self._take(rest)
                for name, text in self._asks.finish():
                    self._asked(name, text)
        super().close(error, is_whole=is_whole)


class BodyTap:
    """Keeps a copy of a body that the app reads itself, and gives it to `done` at the end. None: too large, or empty.

    A body of more than `MAX_BYTES` is kept without its longest texts.
    """

    __slots__ = ("_chunks", "_done", "_is_closed", "_size", "decoder", "pace")

    def __init__(self, done: Callable[[bytes | None], None]) -> None:
        self._done = done
        self._chunks: list[bytes] | None = []  # None: given up
        self._size = 0
        self._is_closed = False
        self.pace = Pace(0)
        self.decoder: Decoder | None = None

    def see(self, data: bytes) -> None:
        if self._is_closed:
            return
        try:
            self._take(data if self.decoder is None else self.decoder.decode(data))
        except Exception as error:
            swallow("look at a piece of a body", error)

    def see_whole(self, data: bytes) -> None:
        """The client has read it, and keeps it: however large it is, no copy is made."""
        self._chunks = [data]
        self.close(is_whole=True)

    def _take(self, data: bytes) -> None:
        if self._chunks is None:
            return
        self._chunks.append(data)
        self._size += len(data)
        if self._size > MAX_BYTES:
            kept = left_out(b"".join(self._chunks))
            self._size = len(kept)
            # A larger rest would be searched again with each piece.
            self._chunks = [kept] if len(kept) <= MAX_BYTES // 2 else None

    def close(self, error: BaseException | None = None, *, is_whole: bool = False) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        body = None
        with guarded("look at the end of a body"):
            if self.decoder is not None:
                self._take(self.decoder.finish())
            body = finished(b"".join(self._chunks or ())) or None
        with guarded("note the end of a body"):
            self._done(body)

    def response_closed(self) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
