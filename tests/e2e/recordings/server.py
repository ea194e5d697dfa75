"""Answers one recording at a time, in order, on a loopback socket; one server for the life of the process.

Each play has a stage of its own under its own path, so that nothing late from one play can reach another. A
request that is not the next one of the recording gets a 404 and stands in the record with no answer: what an
app did not ask for is seen.
"""

from __future__ import annotations

import itertools
import json
import socketserver
import sys
import threading
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any, cast
from urllib.parse import urlsplit

from .exchange import Exchange, bare_path
from .folder import tool

NOT_SENT_ON = frozenset({"content-length", "transfer-encoding", "connection", "content-encoding"})
NOT_NEXT = {
    "message": "not the next exchange of the recording",
    "type": "replay",
    "param": None,
    "code": None,
}


@dataclass
class Stage:
    """What is to be answered next, and what was asked so far."""

    exchanges: list[Exchange]
    next: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)

    def take(self, method: str, path: str) -> Exchange | None:
        expected = self.exchanges[self.next] if self.next < len(self.exchanges) else None
        if expected is None or (expected.method, expected.path) != (method, bare_path(path)):
            return None
        self.next += 1
        return expected


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave in one segment
    disable_nagle_algorithm = True

    def do_any(self) -> None:
        try:
            self._answer()
        except ConnectionError:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_any  # noqa: N815

    def _answer(self) -> None:
        url = urlsplit(self.path)
        token, _, path = url.path.lstrip("/").partition("/")
        stage = cast(Server, self.server).stages[token]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        exchange = stage.take(self.command, "/" + path)
        stage.requests.append(
            {
                "method": self.command,
                "path": "/" + path,
                "query": url.query,
                **self._as_sent(body),
                "answered by": None if exchange is None else stage.next - 1,
            }
        )
        if exchange is None:
            self._send(404, {"content-type": "application/json"}, json.dumps({"error": NOT_NEXT}).encode())
        elif exchange.is_stream:
            self._send_stream(exchange)
        else:
            self._send(exchange.status, *as_bytes(exchange))

    def _as_sent(self, body: bytes) -> dict[str, Any]:
        """Headers and body with the one thing that is random in them, a multipart boundary, taken out."""
        boundary = self.headers.get_boundary()

        def fixed(text: str) -> str:
            return text.replace(boundary, "BOUNDARY") if boundary else text

        return {
            "headers": [[name.lower(), fixed(value)] for name, value in self.headers.items()],
            "body": fixed(body.decode("utf-8", "backslashreplace")),
        }

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._head(status, headers | {"content-length": str(len(body))})
        self.wfile.write(body)

    def _send_stream(self, exchange: Exchange) -> None:
        headers = {"content-type": "text/event-stream; charset=utf-8"} | exchange.headers
        self._head(exchange.status, sent_on(headers) | {"transfer-encoding": "chunked"})
        for piece in tool("replay_server").split_events(exchange.body):
            data = piece.encode("utf-8")
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def sent_on(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in NOT_SENT_ON}


def as_bytes(exchange: Exchange) -> tuple[dict[str, str], bytes]:
    headers, body = sent_on(exchange.headers), exchange.body
    if body is None:
        return headers, b""
    if isinstance(body, dict) and set(body) == {"_binary_bytes"}:
        return headers, bytes(body["_binary_bytes"])
    if isinstance(body, str) and "json" not in headers.get("content-type", ""):
        return headers, body.encode("utf-8")
    text = json.dumps(body, ensure_ascii=False)
    return {"content-type": "application/json"} | headers, text.encode("utf-8")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stages: dict[str, Stage] = {}
        self._tokens = itertools.count()
        threading.Thread(target=self.serve_forever, name="recordings-server", daemon=True).start()

    def handle_error(self, *where: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that hangs up is nothing to report
            super().handle_error(*where)

    def open(self, stage: Stage) -> str:
        """The address of a new stage."""
        token = f"play-{next(self._tokens)}"
        self.stages[token] = stage
        return f"http://127.0.0.1:{self.server_address[1]}/{token}"


@cache
def server() -> Server:
    return Server()
