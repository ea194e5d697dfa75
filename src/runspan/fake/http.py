"""HTTP/1.1 over asyncio, just enough for API clients: keep-alive, bodies, chunked streams, cut connections.

Written by hand: closing a connection without an answer, or in the middle of a stream, is part of the job, and
a light server takes less of the interpreter from the client beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.parser
import email.policy
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        """The JSON body; {} when there is none. A reader must not change it."""
        return json.loads(self.body) if self.body else {}

    def form(self) -> dict[str, tuple[str | None, bytes]]:
        """A multipart/form-data body: name -> (file name, content)."""
        head = f"content-type: {self.headers.get('content-type', '')}\r\n\r\n".encode()
        parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        parts: dict[str, tuple[str | None, bytes]] = {}
        for part in parsed.iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            parts[str(name)] = (part.get_filename(), content if isinstance(content, bytes) else b"")
        return parts


@dataclass(slots=True)
class Response:
    """`stream` replaces `body`; a stream that ends with `ConnectionAbortedError` cuts the connection."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncGenerator[bytes, None] | None = None
    delay_s: float = 0.0
    drop: bool = False


def json_response(body: Any, status: int = 200) -> Response:
    content = json.dumps(body, separators=(",", ":")).encode()
    return Response(status, content, {"content-type": "application/json"})


Application: TypeAlias = Callable[[Request], Response]
# (api, request, *ids of the path) -> a body or a whole response
Handler: TypeAlias = "Callable[..., dict[str, Any] | Response]"


class Connection(asyncio.Protocol):
    """One client connection. Requests are answered in order; the simple ones without a task."""

    def __init__(self, application: Application, open_connections: set[Connection]) -> None:
        self.application = application
        self.open_connections = open_connections
        self.buffer = bytearray()
        self.task: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (TCP servers make no other)
        self.transport = transport
        self.open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_connections.discard(self)
        self.writable.set()
        if self.task:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._serve()

    def _serve(self) -> None:
        while self.task is None and not self.transport.is_closing():
            request = self._take_request()
            if request is None:
                return
            response = self.application(request)
            if response.drop:
                self.transport.abort()
            elif response.stream is None and not response.delay_s:
                self._write_simple(request, response)
            else:
                self.task = asyncio.get_running_loop().create_task(self._write_later(request, response))

    def _take_request(self) -> Request | None:
        """The next whole request of the buffer, or None while bytes are missing."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("expect", "").lower() == "100-continue" and len(self.buffer) == end + 4:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        body, rest = (
            _chunked(self.buffer, end + 4)
            if chunked
            else _sized(self.buffer, end + 4, int(headers.get("content-length", "0")))
        )
        if body is None:
            return None
        del self.buffer[:rest]
        method, target, _version = first.split(" ", 2)
        path, _, query = target.partition("?")
        return Request(method, unquote(path), _query(query), headers, body)

    def _write_simple(self, request: Request, response: Response) -> None:
        self.transport.write(_head(response, f"content-length: {len(response.body)}") + response.body)
        self._finish(request)

    async def _write_later(self, request: Request, response: Response) -> None:
        await asyncio.sleep(response.delay_s)
        if response.stream is None:
            self.task = None
            self._write_simple(request, response)
        else:
            self.transport.write(_head(response, "transfer-encoding: chunked"))
            try:
                async with contextlib.aclosing(response.stream) as pieces:
                    async for piece in pieces:
                        self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                        await self.writable.wait()
            except ConnectionAbortedError:
                self.transport.close()  # after what was written, without the last chunk
            else:
                self.transport.write(b"0\r\n\r\n")
            self.task = None
            self._finish(request)
        self._serve()

    def _finish(self, request: Request) -> None:
        if request.headers.get("connection", "").lower() == "close":
            self.transport.close()


def _head(response: Response, framing: str) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, '')}", framing]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _query(text: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values


def _sized(buffer: bytearray, start: int, length: int) -> tuple[bytes | None, int]:
    if len(buffer) < start + length:
        return None, 0
    return bytes(buffer[start : start + length]), start + length


def _chunked(buffer: bytearray, start: int) -> tuple[bytes | None, int]:
    body = bytearray()
    while (end := buffer.find(b"\r\n", start)) >= 0:
        size = int(bytes(buffer[start:end]).split(b";")[0], 16)
        if len(buffer) < end + size + 4:
            return None, 0
        if size == 0:
            return bytes(body), end + 4
        body += buffer[end + 2 : end + 2 + size]
        start = end + size + 4
    return None, 0
