"""A forward proxy for HTTP, as some networks have it for their only way out."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit


@dataclass
class Proxy:
    url: str = ""
    hosts: list[str | None] = field(default_factory=list)  # that were asked for, one a request


@contextmanager
def forwarding(to: str) -> Iterator[Proxy]:
    """Whatever host is asked for, `to` answers."""
    proxy, target = Proxy(), urlsplit(to)

    class Forward(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            proxy.hosts.append(asked.hostname)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            there = http.client.HTTPConnection(target.hostname or "", target.port)
            path = f"{asked.path}?{asked.query}" if asked.query else asked.path
            there.request(self.command, path, body, dict(self.headers))
            answer = there.getresponse()
            content = answer.read()
            there.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("content-type", ""))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the library names it

    with ThreadingHTTPServer(("127.0.0.1", 0), Forward) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield proxy
        finally:
            server.shutdown()
