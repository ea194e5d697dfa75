"""OTLP over gRPC: the three services, with the limits, the store and the token of the HTTP door.

A browser can't be made to send here: no page can speak HTTP/2 without TLS. So there are no Host and Origin headers to
check. The token is checked before the body is read.

`Export` is registered as a method that streams its request, which is the same on the wire. That way this module reads the
message itself and can give up on a slow sender. gRPC's own decompression is off, because it unpacks a bomb before it
measures it. The first bytes tell a packed message: no OTLP message begins with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc  # type: ignore[import-untyped]
from grpc import aio

from runspan.viewer.decode import PROTOBUF
from runspan.viewer.http_body import RefusedError
from runspan.viewer.otlp_answers import rpc_code
from runspan.viewer.web import intake
from runspan.viewer.web.intake import Intake, Reader
from runspan.viewer.web.safety import has_token

PAGE = "x-runspan-viewer"  # metadata of every answer: the address of this viewer's pages

READERS: Mapping[str, Reader] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": intake.TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": intake.LOGS,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": intake.metrics,
}
PACKED: Mapping[bytes, str] = {b"\x1f\x8b": "gzip", b"\x78": "deflate"}  # how a packed body begins
CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


async def opened(address: str, to: Intake, token: str | None, page: str) -> tuple[aio.Server, int]:
    """A door that takes exports at `host:port`, and its port; OSError where that can't be had."""
    server = aio.server(
        maximum_concurrent_rpcs=256,
        options=[
            ("grpc.so_reuseport", 0),  # else two viewers share a port, and each gets half of a trace
            ("grpc.max_receive_message_length", to.limits.request_bytes),
            ("grpc.per_message_decompression", 0),
        ],
    )
    for service, read in READERS.items():
        method = grpc.stream_unary_rpc_method_handler(_export(read, to, token, page))
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": method})])
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:  # its way to say what an OSError says
        raise OSError(str(error)) from None
    await server.start()
    return server, port


def _export(read: Reader, to: Intake, token: str | None, page: str) -> Callable[..., Awaitable[bytes]]:
    """One service's only method. An `Export...Response` without a word is: everything was taken."""

    async def export(_: Any, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        if token is not None and not has_token(str(metadata.get("authorization", "")), token):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong (authorization: Bearer ...)"
            )
        await context.send_initial_metadata(((PAGE, page),))
        try:
            with to.holding() as more:
                body = await _read(context, to.limits.patience_s)
                more(len(body))
                encoding = next((how for magic, how in PACKED.items() if body.startswith(magic)), "")
                await to.take(read, body, encoding, PROTOBUF)
        except RefusedError as refused:
            await context.abort(CODES[rpc_code(refused.status)], str(refused))
        return b""

    return export


async def _read(context: Any, patience_s: float) -> bytes:
    try:
        body = await asyncio.wait_for(context.read(), patience_s)
    except asyncio.TimeoutError:
        raise RefusedError(408, "the message did not arrive in time") from None
    if body is aio.EOF:  # also of a message beyond the limit, which gRPC answers itself
        raise RefusedError(400, "there is no message")
    return bytes(body)
