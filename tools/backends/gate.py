"""A gate in front of the real Collector: lets requests through, late, or not at all. HTTP, on a port of 127.0.0.1."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Gate:
    """`refuse` is answered to the next `times` requests; then they pass, each `delay_s` late. `hangs`: no answer at all.

    `largest`: bytes of a body, packed as it comes; what is larger is answered 413, as proxies do.
    """

    to: str
    port: int = 0
    delay_s: float = 0.0
    refuse: int | None = None
    times: int = 10**9
    hangs: bool = False
    largest: int = 10**9
    answers: list[int] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if self.hangs:
            self.released.wait(60)
            return 503, b""
        if self.refuse is not None and self.times > 0:
            self.times -= 1
            return self.refuse, b""
        if len(body) > self.largest:
            return 413, b""
        time.sleep(self.delay_s)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.to + path, body, headers), timeout=20
            ) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 502, b""


@contextmanager
def gate(to: str, **how: object) -> Iterator[Gate]:
    state = Gate(to, **how)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {
                k: v for k, v in self.headers.items() if k.lower() in ("content-type", "content-encoding")
            }
            status, answer = state.answer(self.path, kept, body)
            state.answers.append(status)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """The app's process has left."""

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
