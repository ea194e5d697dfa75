"""Reads of a stream's bytes, each timed for its tap: how long the app waited tells whether it keeps up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..guard import swallow
from ..runtime.clock import counter_ns
from .pace import Pace

TIME_A_READ = "time a read of a stream"


class Reads:
    """Each read of bytes, timed."""

    __slots__ = ("_next", "_pace")

    def __init__(self, inner: Iterator[bytes], pace: Pace) -> None:
        self._next = inner.__next__
        self._pace = pace

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
    """The same of an async client."""

    __slots__ = ("_next", "_pace")

    def __init__(self, inner: AsyncIterator[bytes], pace: Pace) -> None:
        self._next = inner.__anext__
        self._pace = pace

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


def timed(kind: Any, inner: Any, pace: Pace) -> Any:
    """`inner` with each read timed."""
    try:
        return kind(inner, pace)
    except Exception as error:
        swallow(TIME_A_READ, error)
        return inner
