"""OTLP over HTTP: a request's head is checked, its body read within limits, and the answer given when it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from runspan.viewer.decode import JSON
from runspan.viewer.http_body import RefusedError
from runspan.viewer.otlp_answers import SUCCESS, refusal
from runspan.viewer.web import intake
from runspan.viewer.web.intake import Intake, Reader

RETRY_AFTER_S = 5
DRAIN_S = 5.0

READERS: Mapping[str, Reader] = {
    "/v1/traces": intake.TRACES,
    "/v1/logs": intake.LOGS,
    "/v1/metrics": intake.metrics,
}


class Ingest:
    """The endpoint of all three paths."""

    def __init__(self, to: Intake) -> None:
        self._intake = to

    async def __call__(self, request: Request) -> Response:
        """Taken whole or not at all."""
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if content_type not in SUCCESS:
                raise RefusedError(415, f"content type is not one of {', '.join(SUCCESS)}")
            self._check_length(request)
            await self._take(request, content_type)
        except (RefusedError, ClientDisconnect) as refused:
            status = refused.status if isinstance(refused, RefusedError) else 400
            await self._drain(request, status)
            answered_in = content_type if content_type in SUCCESS else JSON
            headers = {"Connection": "close"} | ({"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {})
            return Response(refusal(status, str(refused), answered_in), status, headers, answered_in)
        return Response(SUCCESS[content_type], 200, media_type=content_type)

    def _check_length(self, request: Request) -> None:
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError(400, "Content-Length is not a number")
        limit = self._intake.limits.request_bytes
        if int(length[:20]) > limit:
            raise intake.too_large(limit)

    async def _take(self, request: Request, content_type: str) -> None:
        with self._intake.holding() as more:
            body = bytearray()

            async def read() -> None:
                async for chunk in request.stream():
                    more(len(chunk))
                    body.extend(chunk)

            try:
                await asyncio.wait_for(read(), self._intake.limits.patience_s)
            except asyncio.TimeoutError:
                raise RefusedError(408, "the body did not arrive in time") from None
            except asyncio.CancelledError:  # else uvicorn logs a traceback for each
                raise RefusedError(408, "the viewer ended before the body arrived") from None
            encoding = request.headers.get("content-encoding", "")
            await self._intake.take(READERS[request.url.path], bytes(body), encoding, content_type)

    async def _drain(self, request: Request, status: int) -> None:
        """Read what is left, within bounds: a connection closed over unread bytes is reset, and the answer may be lost."""
        if status in (408, 413):
            return

        async def read() -> None:
            left = self._intake.limits.request_bytes
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return

        # CancelledError: the viewer ends. RuntimeError: it was read.
        with suppress(ClientDisconnect, asyncio.TimeoutError, asyncio.CancelledError, RuntimeError):
            await asyncio.wait_for(read(), DRAIN_S)
