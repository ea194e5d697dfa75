"""OTLP/HTTP in: a body is read within limits, decoded beside the event loop, and answered when it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from runspan.viewer.decode import JSON, METRICS, BadBodyError, decode
from runspan.viewer.http_body import RefusedError, decompress
from runspan.viewer.otlp_answers import SUCCESS, refusal
from runspan.viewer.store import Store, StoreFullError, rows
from runspan.viewer.store.rows import Batch

RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one request, and of how many are worked on at once. The Collector's own limit is 20 MiB."""

    request_bytes: int = 20 * 2**20  # on the wire
    decoded_bytes: int = 64 * 2**20  # after decompression
    at_once: int = 4  # bodies in memory; others wait
    patience_s: float = 30.0  # for a body to arrive


def _metrics(body: bytes, content_type: str) -> Batch:
    """Metrics are read, so that a broken sender learns of it, and not kept: this is a viewer of traces."""
    decode(METRICS, body, content_type)
    return Batch()


READERS: Mapping[str, Callable[[bytes, str], Batch]] = {
    "/v1/traces": rows.traces,
    "/v1/logs": rows.logs,
    "/v1/metrics": _metrics,
}


class Ingest:
    """The endpoint of all three paths."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._room = asyncio.Semaphore(limits.at_once)

    async def __call__(self, request: Request) -> Response:
        """Taken whole or not at all."""
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if content_type not in SUCCESS:
                raise RefusedError(415, f"content type is not one of {', '.join(SUCCESS)}")
            self._check_length(request)
            async with self._room:
                await self._take(request, content_type)
        except (RefusedError, ClientDisconnect) as refused:
            status = refused.status if isinstance(refused, RefusedError) else 400
            answered_in = content_type if content_type in SUCCESS else JSON
            # What is left of the body is not read: the connection ends with the answer.
            headers = {"Connection": "close"} | ({"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {})
            return Response(refusal(status, str(refused), answered_in), status, headers, answered_in)
        return Response(SUCCESS[content_type], 200, media_type=content_type)

    def _check_length(self, request: Request) -> None:
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError(400, "Content-Length is not a number")
        if int(length[:20]) > self._limits.request_bytes:
            raise RefusedError(413, f"the body is larger than {self._limits.request_bytes} bytes")

    async def _take(self, request: Request, content_type: str) -> None:
        try:
            body = await asyncio.wait_for(self._body(request), self._limits.patience_s)
        except asyncio.TimeoutError:
            raise RefusedError(408, "the body did not arrive in time") from None
        encoding = request.headers.get("content-encoding", "")
        reader = READERS[request.url.path]
        batch = await run_in_threadpool(self._read, reader, body, encoding, content_type)
        if not batch.rows and not batch.logs:
            return
        try:
            await asyncio.wrap_future(self._store.add(batch))
        except StoreFullError as full:
            raise RefusedError(503, str(full)) from full
        except Exception as error:  # the writer's, such as a full disk; the sender may come again
            raise RefusedError(503, f"could not be written: {error}") from error

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._limits.request_bytes:
                raise RefusedError(413, f"the body is larger than {self._limits.request_bytes} bytes")
        return bytes(body)

    def _read(
        self, reader: Callable[[bytes, str], Batch], body: bytes, encoding: str, content_type: str
    ) -> Batch:
        plain = decompress(body, encoding, self._limits.decoded_bytes)
        try:
            return reader(plain, content_type)
        except BadBodyError as error:
            raise RefusedError(400, str(error)) from error
