"""Where a streamed response of azure-core is looked into: at its methods that give bytes, shadowed on the instance.

The client calls one of them at once, and its app reads the generator. What stands in place of them holds the response weakly, so
no cycle comes about. Errors carry their response to other processes: in copies of it the methods are its class's own.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import Any

from ...guard import guarded
from ...runtime.work_unit import caller_of
from ..encodings import decoder_of
from ..reads import Reads, aseen, timed
from ..taps import BodyTap, ChunkTap

AnyTap = BodyTap | ChunkTap
HandlerRaised = Callable[[BaseException], None]


def tap_stream(response: Any, tap: AnyTap, raised: HandlerRaised, *, is_async: bool) -> None:
    """Look at the bytes while the app reads them. `raised` is told what the app's own code raised between two of them."""
    reads: Mapping[str, Callable[..., Any]] = {"iter_bytes": aseen, "iter_raw": aseen, "read": _aread_whole}
    if not is_async:  # `read` goes through `iter_bytes`
        reads = dict.fromkeys(("iter_bytes", "iter_raw"), partial(_read, raised=raised))
    for name, read in reads.items():
        if hasattr(type(response), name):
            setattr(response, name, _Method(response, name, read, tap))


class _Method:
    """In place of one of the methods."""

    __slots__ = ("_name", "_read", "_response", "_tap")

    def __init__(self, response: Any, name: str, read: Callable[..., Any], tap: AnyTap) -> None:
        self._response, self._name, self._read, self._tap = weakref.ref(response), name, read, tap

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        response = self._response()
        if self._name == "iter_raw":  # bytes as they came; all others are decompressed
            with guarded("find out how a body is compressed"):
                self._tap.decoder = decoder_of(response, _decompressed)
        return self._read(getattr(type(response), self._name)(response, *args, **kwargs), self._tap)

    def __reduce__(self) -> Any:
        return getattr, (self._response(), self._name)


def _read(chunks: Any, tap: AnyTap, *, raised: HandlerRaised) -> Iterator[bytes]:
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


async def _aread_whole(body: Any, tap: AnyTap) -> bytes:
    try:
        whole: bytes = await body
    except BaseException as error:
        tap.close(error)
        raise
    tap.see_whole(whole)
    return whole


def _decompressed(body: bytes, encoding: str) -> bytes:
    """As `requests` does it, which azure-core needs."""
    response = import_module("urllib3").HTTPResponse(BytesIO(body), {"content-encoding": encoding})
    content: bytes = response.data
    return content


def _left(left: GeneratorExit, raised: HandlerRaised) -> None:
    """The app leaves its `with` block, whose `__exit__` closes the generator: with an exception of its own, perhaps."""
    with guarded("look who closes a stream"):
        caller = caller_of(caller_of(inspect.currentframe()))  # of the generator
        if left.__context__ is not None and caller is not None and caller.f_code.co_name == "__exit__":
            raised(left.__context__)
