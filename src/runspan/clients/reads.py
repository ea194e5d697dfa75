"""Reads of a stream's bytes, each timed for its tap: how long the app waited tells whether it keeps up."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from ..guard import guarded, swallow
from ..runtime.clock import counter_ns
from .pace import Pace
from .taps import BodyTap, ChunkTap

TIME_A_READ = "time a read of a stream"


class Reads:
    """Each read of bytes, timed."""

    __slots__ = ("_next", "_pace")

    open = staticmethod(iter)

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def read(self, inner: Iterator[bytes]) -> None:
        self._next = inner.__next__

    def __iter__(self) -> Reads:
        return self

    def __next__(self) -> bytes:
        asked = counter_ns()
        data = self._next()
        try:
            self._pace.got(asked)
        except Exception as error:
            swallow(TIME_A_READ, error)
        return data


class AsyncReads:
    """The same of an async client.

    The collector ends the generators of a forgotten stream in the order in which it meets them. Where an inner one
    comes first, the outer one finds it closing, and the loop complains. So this object is older than what it reads, and
    httpx2 takes it for a generator, which it closes itself.
    """

    __slots__ = ("_inner", "_next", "_pace")

    open = staticmethod(aiter)

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def read(self, inner: AsyncIterator[bytes]) -> None:
        self._inner: Any = inner
        self._next = inner.__anext__

    def __aiter__(self) -> AsyncReads:
        return self

    async def __anext__(self) -> bytes:
        asked = counter_ns()
        data = await self._next()
        try:
            self._pace.got(asked)
        except Exception as error:
            swallow(TIME_A_READ, error)
        return data

    async def aclose(self) -> None:
        await aclose(self._inner)


AsyncGenerator.register(AsyncReads)


async def aclose(reads: Any) -> None:
    """Close what reads a stream, if it is a generator."""
    close = getattr(reads, "aclose", None)
    if close is not None:
        await close()


async def aseen(body: Any, tap: BodyTap | ChunkTap) -> AsyncIterator[bytes]:
    """The bytes of a body, which `tap` sees while the app reads them."""
    reads = timed(AsyncReads, body, tap.pace)
    try:
        async for data in reads:
            tap.see(data)
            yield data
    except BaseException as error:
        tap.close(None if isinstance(error, GeneratorExit) else error)
        raise
    finally:
        await aclose(reads)
    tap.close(is_whole=True)


def timed(kind: type[Any], body: Any, pace: Pace) -> Any:
    """The reads of a body, each timed by a `kind` of its own, which is there before them."""
    reads = None
    with guarded(TIME_A_READ):
        reads = kind(pace)
    inner = kind.open(body)
    if reads is not None:
        with guarded(TIME_A_READ):
            reads.read(inner)
            return reads
    return inner
