"""python -m soaking.sink: takes OTLP over HTTP and counts run spans. Its address is its first line; GET gives the count."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

runs: list[int] = []  # of each request; appending is atomic


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one piece

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        sent = ExportTraceServiceRequest.FromString(body)
        spans = (span for of in sent.resource_spans for scope in of.scope_spans for span in scope.spans)
        runs.append(sum(span.name.startswith("invoke_agent") for span in spans))
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(str(sum(runs)).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
