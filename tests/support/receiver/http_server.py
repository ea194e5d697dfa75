"""The receiver's HTTP side: a thread per connection, answers in OTLP's forms, all closed at the end."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from runspan.viewer.decode import JSON, BadBodyError
from runspan.viewer.http_body import RefusedError, decompress
from runspan.viewer.otlp_answers import SUCCESS, refusal
from tests.support.receiver.http_body import read_body
from tests.support.receiver.inbox import Inbox, Request
from tests.support.receiver.signals import LOGS, METRICS, TRACES, Item, Signal, decode

SIGNALS: Mapping[str, Signal] = {"/v1/traces": TRACES, "/v1/metrics": METRICS, "/v1/logs": LOGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one receiver. The collector's own limit of a request is 20 MiB."""

    request_bytes: int = 20 * 2**20  # on the wire
    decoded_bytes: int = 64 * 2**20  # after decompression
    kept_items: int = 100_000  # of spans, of metrics and of log records; the oldest go
    kept_requests: int = 10_000
    idle_s: float = 60.0  # a connection that sends nothing for so long is closed


@dataclass(frozen=True, slots=True)
class Answer:
    """What a good request is answered with."""

    status: int = 200
    retry_after_s: int | None = None
    delay_s: float = 0.0
    is_due: threading.Event = field(default_factory=threading.Event)  # whatever the delay


class Server(socketserver.TCPServer):
    """Accepts connections and closes what is left of them.

    Not `http.server`'s: that one looks its own name up in the DNS, and either leaves its threads behind or
    waits for idle connections for ever.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], store: Inbox, limits: Limits) -> None:
        self.store = store
        self.limits = limits
        self._answers = threading.Lock()
        self._answer, self._remaining = Answer(), 0
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(address, Handler)

    def script(self, answer: Answer, times: int | None) -> None:
        """Answer so from now on, or `times` times. Answers that are still delayed go out."""
        with self._answers:
            self._answer.is_due.set()
            self._answer, self._remaining = answer, -1 if times is None else times

    def next_answer(self) -> Answer:
        """The answer for one more good request."""
        with self._answers:
            if self._remaining == 0:
                return Answer()
            self._remaining -= self._remaining > 0
            return self._answer

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give one connection its thread (called on the listening thread only)."""
        for thread in [thread for thread in self._connections if not thread.is_alive()]:
            del self._connections[thread]
        thread = threading.Thread(target=self._converse, args=(request, client_address), daemon=True)
        self._connections[thread] = request
        thread.start()

    def _converse(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is everyday; anything else is our bug and is printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Close every socket and see every thread end; the listening thread must have ended before."""
        self._answer.is_due.set()
        self.server_close()
        for thread, connection in self._connections.items():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for the next request
            thread.join()


class Handler(BaseHTTPRequestHandler):
    """One connection, any number of requests."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "runspan"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.limits.idle_s)

    def do_POST(self) -> None:
        """Read, decode, keep, answer: in this order, so that a refused request leaves nothing behind."""
        body, content_type, message = b"", JSON, ""
        items: tuple[Item, ...] = ()
        try:
            signal = SIGNALS.get(self.path.partition("?")[0])
            if signal is None:
                raise RefusedError(404, f"no such path; there are {', '.join(SIGNALS)}")
            content_type = self._content_type()
            body = read_body(self.rfile, self.headers, self.server.limits.request_bytes)
            items = self._decode(signal, body, content_type)
            answer = self.server.next_answer()
            message = f"told to answer {answer.status}"
        except RefusedError as refused:
            answer, message = Answer(refused.status), str(refused)
            self.close_connection = True  # the rest of the request may still be unread
        taken = 200 <= answer.status < 300
        request = Request(
            self.path, {k.lower(): v for k, v in self.headers.items()}, len(body), answer.status
        )
        self.server.store.add(request, items if taken else ())
        answer.is_due.wait(answer.delay_s)
        self._answer(
            answer,
            content_type,
            SUCCESS[content_type] if taken else refusal(answer.status, message, content_type),
        )

    def _content_type(self) -> str:
        content_type = self.headers.get_content_type()
        if content_type not in SUCCESS:
            raise RefusedError(415, f"content type is not one of {', '.join(SUCCESS)}")
        return content_type

    def _decode(self, signal: Signal, body: bytes, content_type: str) -> tuple[Item, ...]:
        encoding = self.headers.get("Content-Encoding", "")
        plain = decompress(body, encoding, self.server.limits.decoded_bytes)
        try:
            return decode(signal, plain, content_type)
        except BadBodyError as error:
            raise RefusedError(400, str(error)) from error

    def _answer(self, answer: Answer, content_type: str, body: bytes) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if answer.retry_after_s is not None:
            self.send_header("Retry-After", str(answer.retry_after_s))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        if self.close_connection:
            self._linger()

    def _linger(self) -> None:
        # Closing a socket with unread bytes resets the connection, and the reset can overtake our answer.
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1.0)
        for _ in range(self.server.limits.request_bytes // LINGER_BYTES + 1):
            if not self.connection.recv(LINGER_BYTES):
                break

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses (other methods, broken request lines), in our form instead of HTML."""
        self.close_connection = True
        self._answer(Answer(code), JSON, refusal(code, message or HTTPStatus(code).phrase, JSON))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: what came in is in `Receiver.requests`."""


LINGER_BYTES = 65_536
