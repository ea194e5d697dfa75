"""From a body to the disk, whichever protocol brought it: unpacked and decoded beside the event loop, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from starlette.concurrency import run_in_threadpool

from runspan.viewer.decode import BadBodyError, parse
from runspan.viewer.http_body import RefusedError, decompress
from runspan.viewer.store import Store, StoreFullError, rows
from runspan.viewer.store.rows import Batch

Reader = Callable[[bytes, str], Batch]  # body, content type -> rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one request, and of all that are worked on at once. The Collector's own limit is 20 MiB."""

    request_bytes: int = 20 * 2**20  # on the wire
    decoded_bytes: int = 64 * 2**20  # after decompression
    at_once: int = 4  # bodies being unpacked and decoded
    held_bytes: int = 256 * 2**20  # of all bodies in memory, also of those that are still arriving
    patience_s: float = 30.0  # for a body to arrive


def metrics(body: bytes, content_type: str) -> Batch:
    """Metrics are read, so that a broken sender learns of it, and not kept: this is a viewer of traces."""
    parse(ExportMetricsServiceRequest, body, content_type, lambda _: None)
    return Batch()


class Intake:
    """Used on the event loop's thread alone. A slow sender holds its own bytes and nobody else's turn."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self.limits = limits
        self._store = store
        self._turns = asyncio.Semaphore(limits.at_once)
        self._held = 0

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Counts the bytes of one request in memory; the function given raises RefusedError beyond the bounds."""
        own = 0

        def more(size: int) -> None:
            nonlocal own
            own += size
            self._held += size
            if own > self.limits.request_bytes:
                raise too_large(self.limits.request_bytes)
            if self._held > self.limits.held_bytes and self._held > own:
                raise RefusedError(503, "too much arrives at once")

        try:
            yield more
        finally:
            self._held -= own

    async def take(self, read: Reader, body: bytes, encoding: str, content_type: str) -> None:
        """The body is on disk when this returns, whole; raises RefusedError, and then nothing of it is there."""
        async with self._turns:
            batch = await run_in_threadpool(self._read, read, body, encoding, content_type)
        if not batch.rows and not batch.logs:
            return
        try:
            await asyncio.wrap_future(self._store.add(batch))
        except StoreFullError as full:
            raise RefusedError(503, str(full)) from full
        except Exception as error:  # the writer's, such as a full disk; the sender may come again
            raise RefusedError(503, f"could not be written: {error}") from error

    def _read(self, read: Reader, body: bytes, encoding: str, content_type: str) -> Batch:
        plain = decompress(body, encoding, self.limits.decoded_bytes)
        try:
            return read(plain, content_type)
        except BadBodyError as error:
            raise RefusedError(400, str(error)) from error


def too_large(limit: int) -> RefusedError:
    """What every door says of a body beyond the limit."""
    return RefusedError(413, f"the body is larger than {limit} bytes")


TRACES, LOGS = rows.traces, rows.logs
