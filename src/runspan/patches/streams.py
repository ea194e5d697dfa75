"""The stream tap: sees each event before the app does and hands on what matters.

`Stream._iterator` is replaced on the instance by a small iterator and `close` is shadowed, so `type(stream)` and everything
built on it stay as they are. Streams that the app reads as raw bytes are tapped at the response's `iter_bytes` instead: that serves
`.parse()`, `.iter_lines()` and `.read()` alike, and plain JSON bodies of `with_streaming_response` too.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from ..adapters.assistants import FIRST_TOKEN, MESSAGE_ENDS, REQUIRES_ACTION, STEP_DELTA, STEP_ENDS
from ..adapters.sse import Finder
from ..guard import guarded, swallow
from ..runtime.clock import now_ns
from ..runtime.records import StreamChunk, StreamClosed, StreamDeltas, StreamEvent, StreamRef, decode
from .errors import read_error
from .snapshot import copy, fields_of

Put = Callable[[Any], None]

_IDS = ("id", "run_id", "thread_id", "assistant_id", "role", "type", "status", "created_at")
# Their content grows in place while the app's handler accumulates deltas, so only the ids are read.
_GROWING = frozenset(
    {
        "thread.message.created",
        "thread.message.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
    }
)
DELTAS_AT_ONCE = 128  # unread ones that a stream may hold


class Tap:
    """What one stream has shown so far. Any method may be called from the app's thread; none raises."""

    __slots__ = ("_deltas", "_is_closed", "_learn", "_put", "_raised", "_step_deltas", "_waits", "stream")

    def __init__(
        self, put: Put, stream: StreamRef, learn: Callable[[Any], None], waits: Callable[[Any, Any], None]
    ) -> None:
        self._put = put
        self._waits = waits  # told a run that requires action, and the object in which the app gets it
        self._learn = learn  # told the run at its first event
        self._is_closed = False
        # Deltas matter only if the stream is cut before their message, or their step, completes.
        self._deltas: list[Any] = []
        self._step_deltas: list[Any] = []
        self._raised: int | None = None  # identity of the error that broke the stream
        self.stream = stream

    def has_raised(self, error: BaseException) -> bool:
        """Whether `error` came out of the stream itself (or is what the client made of that), not out of the app."""
        causes = (error, error.__cause__, error.__context__)
        return self._raised is not None and any(id(c) == self._raised for c in causes if c is not None)

    def see(self, event: Any) -> None:
        try:
            name = event.event
            if name == FIRST_TOKEN:  # nearly all of a stream
                deltas = self._deltas
                deltas.append(event.data)
                if len(deltas) == 1 and self.stream.first_token_ns is None:
                    self.stream.first_token_ns = now_ns()
                elif len(deltas) >= DELTAS_AT_ONCE:
                    self._hand_over_deltas()
                return
            if name == STEP_DELTA:
                self._step_deltas.append(event.data)
                if len(self._step_deltas) >= DELTAS_AT_ONCE:
                    self._hand_over_deltas()
                return
            if not isinstance(name, str) or self._is_closed:  # some servers send events without a name
                return
            at_ns, stream = now_ns(), self.stream
            data = event.data
            if name in _GROWING:
                fields = fields_of(data)
                payload: Any = {key: fields.get(key) for key in _IDS}
            else:
                payload = copy(data)
                if name in MESSAGE_ENDS:
                    self._deltas = []
                elif name in STEP_ENDS:
                    self._step_deltas = []
                elif name == "thread.run.created":
                    self._learn(fields_of(data))
                elif name == REQUIRES_ACTION:
                    self._waits(payload, data)
            self._put(StreamEvent(stream, name, at_ns, payload))
        except Exception as error:
            swallow("look at a stream event", error)

    def _hand_over_deltas(self) -> None:
        """The client does not let delta objects grow, so the worker can read them later."""
        if self._deltas:
            self._put(StreamDeltas(self.stream, self._deltas))
            self._deltas = []
        if self._step_deltas:
            self._put(StreamDeltas(self.stream, self._step_deltas, of_steps=True))
            self._step_deltas = []

    def close(self, error: BaseException | None = None) -> None:
        """The stream ended, broke, was closed, or was forgotten: once."""
        if self._is_closed:
            return
        self._is_closed = True
        self._raised = None if error is None else id(error)
        with guarded("note the end of a stream"):
            self._hand_over_deltas()
            # A cancelled or interrupted reader closed its stream; nothing is wrong with the run.
            broke = read_error(error) if isinstance(error, Exception) else None
            self._put(StreamClosed(self.stream, now_ns(), broke))

    def __del__(self) -> None:
        self.close()


class _Events:
    """The sync iterator in place of `Stream._iterator`."""

    __slots__ = ("_inner", "_next", "_tap", "see")

    def __init__(self, inner: Iterator[Any], tap: Tap) -> None:
        self._inner = inner
        self._next = inner.__next__
        self._tap = tap
        self.see = tap.see

    def __iter__(self) -> _Events:
        return self

    def __next__(self) -> Any:
        try:
            event = self._next()
        except StopIteration:
            self._tap.close()
            raise
        except BaseException as error:
            self._tap.close(error)
            raise
        self.see(event)
        return event

    def __getattr__(self, name: str) -> Any:  # the generator's close, gi_frame ...
        return getattr(self._inner, name)


class _AsyncEvents:
    """The async iterator in place of `AsyncStream._iterator`."""

    __slots__ = ("_inner", "_next", "_tap", "see")

    def __init__(self, inner: AsyncIterator[Any], tap: Tap) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._tap = tap
        self.see = tap.see

    def __aiter__(self) -> _AsyncEvents:
        return self

    async def __anext__(self) -> Any:
        try:
            event = await self._next()
        except StopAsyncIteration:
            self._tap.close()
            raise
        except BaseException as error:
            self._tap.close(error)
            raise
        self.see(event)
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def tap_events(stream: Any, tap: Tap, *, is_async: bool) -> None:
    """Look into a `Stream` or `AsyncStream` of typed events from now on."""
    stream._iterator = (_AsyncEvents if is_async else _Events)(stream._iterator, tap)
    _shadow_close(stream, tap.close, "close", is_async=is_async)


def tap_of(stream: Any) -> Tap | None:
    """The tap of a stream that we look into."""
    events = getattr(stream, "_iterator", None)
    return events._tap if isinstance(events, _Events | _AsyncEvents) else None


def _shadow_close(owner: Any, closed: Callable[[], None], name: str, *, is_async: bool) -> None:
    inner = getattr(owner, name)
    if is_async:

        async def aclose() -> Any:
            try:
                return await inner()
            finally:
                closed()

        setattr(owner, name, aclose)
    else:

        def close() -> Any:
            try:
                return inner()
            finally:
                closed()

        setattr(owner, name, close)


# ---------------------------------------------------------------- bytes


class BodyTap:
    """Keeps a copy of a body that the app reads itself; `done` is told it when it is whole, None if it is no JSON."""

    MAX_BYTES = 8_000_000

    def __init__(self, done: Callable[[bytes | None], None]) -> None:
        self._done = done
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_closed = False
        self.is_inside = False

    def see(self, data: bytes) -> None:
        """Cannot fail."""
        self._size += len(data)
        if not self._is_closed and self._size <= self.MAX_BYTES:
            self._chunks.append(data)

    def close(self, error: BaseException | None = None) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        with guarded("note the end of a body"):
            body = b"".join(self._chunks)
            self._done(body if _is_json(body) else None)

    def __del__(self) -> None:
        self.close()


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


class ChunkTap(Tap):
    """A tap of an event stream that is read as bytes: parsed on the worker, but for what the app's tools must know at once."""

    __slots__ = ("_asks", "is_inside")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._asks = Finder(REQUIRES_ACTION)
        self.is_inside = False

    def see(self, data: bytes) -> None:
        if self._is_closed:
            return
        try:
            for text in self._asks.feed(data):
                payload = text.encode()
                if self.stream.run_id is None:  # the worker has not come to it yet
                    self._learn(decode(payload))
                self._waits(payload, None)
            self._put(StreamChunk(self.stream, now_ns(), data))
        except Exception as error:
            swallow("look at a chunk of a stream", error)


def tap_bytes(response: Any, tap: BodyTap | ChunkTap, *, is_async: bool) -> None:
    """Look at the bytes of an HTTP response while the app reads them."""
    name = "aiter_bytes" if is_async else "iter_bytes"
    inner = getattr(response, name)
    tapped = _async_bytes(inner, tap) if is_async else _bytes(inner, tap)
    setattr(response, name, _Shadow(response, name, tapped))

    def closed() -> None:
        if (
            not tap.is_inside
        ):  # the client closes the connection at its end, before it hands out its last bytes
            tap.close()

    close = "aclose" if is_async else "close"
    _shadow_close(response, closed, close, is_async=is_async)
    setattr(response, close, _Shadow(response, close, getattr(response, close)))


class _Shadow:
    """In place of a method on one object that apps may pickle or copy: the copy has the method of its class."""

    __slots__ = ("_call", "_name", "_owner")

    def __init__(self, owner: Any, name: str, call: Callable[..., Any]) -> None:
        self._owner, self._name, self._call = owner, name, call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._owner, self._name)


def _bytes(inner: Callable[..., Iterator[bytes]], tap: BodyTap | ChunkTap) -> Callable[..., Iterator[bytes]]:
    def iter_bytes(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        tap.is_inside = True
        try:
            for data in inner(*args, **kwargs):
                tap.is_inside = False
                tap.see(data)
                yield data
                tap.is_inside = True
        except BaseException as error:
            tap.is_inside = False
            tap.close(None if isinstance(error, GeneratorExit) else error)
            raise
        tap.is_inside = False
        tap.close()

    return iter_bytes


def _async_bytes(
    inner: Callable[..., AsyncIterator[bytes]], tap: BodyTap | ChunkTap
) -> Callable[..., AsyncIterator[bytes]]:
    async def aiter_bytes(*args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
        tap.is_inside = True
        try:
            async for data in inner(*args, **kwargs):
                tap.is_inside = False
                tap.see(data)
                yield data
                tap.is_inside = True
        except BaseException as error:
            tap.is_inside = False
            tap.close(None if isinstance(error, GeneratorExit) else error)
            raise
        tap.is_inside = False
        tap.close()

    return aiter_bytes
