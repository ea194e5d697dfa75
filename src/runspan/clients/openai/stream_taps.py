"""Where a stream is looked into: at `Stream._iterator`, whose events are typed, and at the response's own stream of bytes.

Both are replaced on the instance by a small object that holds nothing above it, so neither the client's stream nor the
response becomes part of a cycle. Streams that the app reads as raw bytes are seen at the response alone: that serves
`.parse()`, `.iter_lines()` and `.read()` alike, and plain JSON bodies of `with_streaming_response`, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from ... import _compat
from ...guard import guarded
from ..encodings import decoder_of
from ..reads import AsyncReads, Reads, aseen, timed
from ..taps import BodyTap, ChunkTap, Tap


class _Tapped:
    """What both kinds of iterators hold. `read` gives the next event of `inner`."""

    __slots__ = ("_inner", "_next", "_tap", "see")

    def __init__(self, inner: Any, read: Callable[[], Any], tap: Tap) -> None:
        self._inner = inner
        self._next = read
        self._tap = tap
        self.see = tap.see

    def __getattr__(self, name: str) -> Any:  # the generator's close, gi_frame ...
        return getattr(self._inner, name)


class _Events(_Tapped):
    """The sync iterator in place of `Stream._iterator`."""

    __slots__ = ()

    def __iter__(self) -> _Events:
        return self

    def __next__(self) -> Any:
        tap = self._tap
        tap.is_inside = True
        try:
            event = self._next()
        except StopIteration:
            tap.close(is_whole=True)
            raise
        except BaseException as error:
            tap.close(error)
            raise
        tap.is_inside = False
        self.see(event)
        return event


class _AsyncEvents(_Tapped):
    """The async iterator in place of `AsyncStream._iterator`."""

    __slots__ = ()

    def __aiter__(self) -> _AsyncEvents:
        return self

    async def __anext__(self) -> Any:
        tap = self._tap
        tap.is_inside = True
        try:
            event = await self._next()
        except StopAsyncIteration:
            tap.close(is_whole=True)
            raise
        except BaseException as error:
            tap.close(error)
            raise
        tap.is_inside = False
        self.see(event)
        return event


def tap_events(stream: Any, tap: Tap, *, is_async: bool) -> bool:
    """Look into a `Stream` or `AsyncStream` of typed events from now on. False: this client's streams are of another make."""
    events = _compat.events_of(stream)
    if events is None:
        return False
    with guarded("keep the generator of a stream"):
        stream.runspan_events = events  # the collector meets it here, before those in it: see `AsyncReads`
    seen = _AsyncEvents(events, events.__anext__, tap) if is_async else _Events(events, events.__next__, tap)
    _compat.replace_events(stream, seen)
    response = getattr(stream, "response", None)
    if response is not None:
        with guarded("look at the close of a stream"):
            response.stream = Body(response.stream, tap)
    return True


def tap_of(stream: Any) -> Tap | None:
    """The tap of a stream that we look into."""
    events = _compat.events_of(stream)
    return events._tap if isinstance(events, _Tapped) else None


# ---------------------------------------------------------------- bytes


def tap_bytes(response: Any, tap: BodyTap | ChunkTap) -> None:
    """Look at the bytes of an HTTP response while the app reads them; at once, if the client has read them."""
    if response.is_closed and response.is_stream_consumed:
        tap.see_whole(response.content)
    else:
        tap.decoder = decoder_of(response, partial(_decompressed, type(response)))
        response.stream = ReadBody(response.stream, tap)


def _decompressed(kind: Any, body: bytes, encoding: str) -> bytes:
    content: bytes = kind(200, headers={"content-encoding": encoding}, content=body).content
    return content


def is_no_event_stream(response: Any) -> bool:
    """A server answered with something else than events, of which the client's stream of events says nothing."""
    kind = getattr(response, "headers", {}).get("content-type", "")
    return bool(kind) and "event-stream" not in kind


class Body:
    """In place of `response.stream`: the client reads and closes it, and it is of the class that the client looks for."""

    __slots__ = ("_inner", "_tap")

    def __init__(self, inner: Any, tap: BodyTap | Tap) -> None:
        self._inner = inner
        self._tap = tap

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._inner)

    def __iter__(self) -> Iterator[bytes]:
        reads: Iterator[bytes] = timed(Reads, self._inner, self._tap.pace)
        return reads

    def __aiter__(self) -> AsyncIterator[bytes]:
        reads: AsyncIterator[bytes] = timed(AsyncReads, self._inner, self._tap.pace)
        return reads

    def close(self) -> Any:
        try:
            return self._inner.close()
        finally:
            self._tap.response_closed()

    async def aclose(self) -> Any:
        try:
            return await self._inner.aclose()
        finally:
            self._tap.response_closed()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class ReadBody(Body):
    """The same, and what is read of it is seen."""

    __slots__ = ()

    _tap: BodyTap | ChunkTap

    def __iter__(self) -> Iterator[bytes]:
        tap = self._tap
        try:
            for data in timed(Reads, self._inner, tap.pace):
                tap.see(data)
                yield data
        except BaseException as error:
            tap.close(None if isinstance(error, GeneratorExit) else error)
            raise
        tap.close(is_whole=True)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aseen(self._inner, self._tap)
