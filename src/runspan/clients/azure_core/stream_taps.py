"""Where a streamed response of azure-core is looked into: at its methods that give bytes, shadowed on the instance.

The client calls one of them at once, and its app reads the generator. What stands in place of them holds the response weakly, so
no cycle comes about.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from ... import _compat
from ...guard import guarded
from ..encodings import decoder_of
from ..reads import AsyncReads, Reads, timed
from ..taps import BodyTap, ChunkTap

AnyTap = BodyTap | ChunkTap
HandlerRaised = Callable[[BaseException], None]


def tap_stream(response: Any, tap: AnyTap, raised: HandlerRaised, *, is_async: bool) -> None:
    """Look at the bytes while the app reads them. `raised` is told what the app's own code raised between two of them."""
    kind, held = type(response), weakref.ref(response)
    response.iter_bytes = _Read(held, kind.iter_bytes, tap, raised, is_async)
    response.iter_raw = _Read(held, kind.iter_raw, tap, raised, is_async).raw
    if is_async:  # a sync `read` goes through `iter_bytes`
        response.read = partial(_aread_whole, held, kind.read, tap)


class _Read:
    """In place of one of the two methods."""

    __slots__ = ("_is_async", "_method", "_raised", "_response", "_tap")

    def __init__(
        self, response: weakref.ref[Any], method: Any, tap: AnyTap, raised: HandlerRaised, is_async: bool
    ) -> None:
        self._response, self._method, self._tap = response, method, tap
        self._raised, self._is_async = raised, is_async

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Bytes as they are read by the app: decompressed."""
        chunks = self._method(self._response(), *args, **kwargs)
        if self._is_async:
            return _aread(chunks, self._tap)
        return _read(chunks, self._tap, self._raised)

    def raw(self, *args: Any, **kwargs: Any) -> Any:
        with guarded("find out how a body is compressed"):
            self._tap.decoder = decoder_of(self._response())
        return self(*args, **kwargs)


def _read(chunks: Any, tap: AnyTap, raised: HandlerRaised) -> Iterator[bytes]:
    try:
        for data in timed(Reads, chunks, tap.pace):
            tap.see(data)
            yield data
    except GeneratorExit as left:
        _left(left, raised)
        tap.close()
        raise
    except BaseException as error:
        tap.close(error)
        raise
    finally:
        chunks.close()
    tap.close(is_whole=True)


async def _aread(chunks: Any, tap: AnyTap) -> AsyncIterator[bytes]:
    try:
        async for data in timed(AsyncReads, chunks, tap.pace):
            tap.see(data)
            yield data
    except BaseException as error:
        tap.close(None if isinstance(error, GeneratorExit) else error)
        raise
    finally:
        await chunks.aclose()
    tap.close(is_whole=True)


async def _aread_whole(response: weakref.ref[Any], read: Any, tap: AnyTap) -> bytes:
    try:
        whole: bytes = await read(response())
    except BaseException as error:
        tap.close(error)
        raise
    tap.see_whole(whole)
    return whole


def _left(left: GeneratorExit, raised: HandlerRaised) -> None:
    """The app leaves its `with` block, whose `__exit__` closes the generator: with an exception of its own, perhaps."""
    with guarded("look who closes a stream"):
        frame = _compat.frame(1)  # of the generator
        caller = None if frame is None else frame.f_back
        if left.__context__ is not None and caller is not None and caller.f_code.co_name == "__exit__":
            raised(left.__context__)
