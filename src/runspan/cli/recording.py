"""Recorded API traffic, served again on loopback: one `{"request": ..., "response": ...}` per line.

Answers to one method and path come in recorded order; the last one of a GET stays. GETs of our own background fetch (they say so in
a header) get the newest answer that the app has seen and use none up.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Exchange = Mapping[str, Any]

_PREFIX = re.compile(r"^(/openai)?(/v1)?(?=/)")
_NOT_SENT_ON = frozenset({"content-length", "transfer-encoding", "connection", "content-encoding"})


def load(path: Path) -> list[Exchange]:
    """The exchanges of a recording. Raises ValueError, with the line, for what is none."""
    exchanges: list[Exchange] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip():
            exchange = json.loads(line)
            if not isinstance(exchange, dict) or not {"request", "response"} <= exchange.keys():
                raise ValueError(f"{path.name}, line {number}: not a recorded exchange")
            exchanges.append(exchange)
    return exchanges


def bare(path: str) -> str:
    """Without the server's prefix (`/v1`, Azure's `/openai`)."""
    return _PREFIX.sub("", urlsplit(path).path).rstrip("/")


def is_stream(exchange: Exchange) -> bool:
    response = exchange["response"]
    kind = str(response.get("headers", {}).get("content-type", ""))
    body = response["body"]
    return isinstance(body, str) and ("event-stream" in kind or body.lstrip().startswith("event:"))


@contextmanager
def served(exchanges: list[Exchange], pace_s: float) -> Iterator[str]:
    """The base URL of a server that answers from the recording. `pace_s`: time it takes for each answer and stream event."""
    server = _Server(exchanges, pace_s)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, exchanges: list[Exchange], pace_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pace_s = pace_s
        self._lock = threading.Lock()
        self._next: dict[tuple[str, str], list[Exchange]] = defaultdict(list)
        self._last: dict[tuple[str, str], Exchange] = {}
        for exchange in exchanges:
            request = exchange["request"]
            self._next[request["method"], bare(request["path"])].append(exchange)

    def answer(self, method: str, path: str, *, is_ours: bool) -> Exchange | None:
        key = (method, bare(path))
        with self._lock:
            waiting = self._next[key]
            if is_ours or not waiting:
                return self._last.get(key) if method == "GET" else None
            self._last[key] = waiting.pop(0)
            return self._last[key]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one segment
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        return

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        exchange = self.server.answer(self.command, self.path, is_ours="X-Runspan" in self.headers)
        time.sleep(self.server.pace_s)
        if exchange is None:
            self._send(404, {"content-type": "application/json"}, b'{"error": {"message": "not recorded"}}')
            return
        response = exchange["response"]
        if is_stream(exchange):
            self._send_events(response)
        else:
            body = response["body"]
            data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
            self._send(response["status"], response["headers"], data)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the base class's names

    def _send(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self._send_head(status, headers)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_SENT_ON:
                self.send_header(name, value)

    def _send_events(self, response: Mapping[str, Any]) -> None:
        self._send_head(response["status"], {"content-type": "text/event-stream", **response["headers"]})
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in re.findall(r".+?(?:\r?\n\r?\n|\Z)", response["body"], re.DOTALL):
            data = event.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
            if ".delta" not in event[:60]:
                time.sleep(self.server.pace_s)
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
