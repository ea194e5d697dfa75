"""A small OTLP/HTTP receiver on a real socket.

    with serve() as receiver:
        exporter = OTLPSpanExporter(endpoint=f"{receiver.endpoint}/v1/traces")
        ...
        (span,) = receiver.wait_for_spans(1, timeout_s=5)

It takes what opentelemetry.io/docs/specs/otlp asks of a server: POST on three paths, protobuf and JSON, gzip
(and deflate, which the Python exporter can send), errors as `google.rpc.Status` in the request's encoding. A
request is taken whole or not at all. `answer_with` makes it play a backend that is busy, broken or slow.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from runspan.viewer.spans import LogRecord, Span
from tests.support.receiver.http_server import Answer, Limits, Server
from tests.support.receiver.inbox import Inbox, Request
from tests.support.receiver.metrics import Metric

__all__ = ["Limits", "Receiver", "Request", "serve"]


@contextmanager
def serve(host: str = "127.0.0.1", port: int = 0, limits: Limits | None = None) -> Iterator[Receiver]:
    """Listen while the block runs; port 0 takes a free one. After it no socket and no thread is left."""
    limits = limits or Limits()
    store = Inbox(max_items=limits.kept_items, max_requests=limits.kept_requests)
    server = Server((host, port), store, limits)
    # The interval is how long closing may take, not how often a request is looked for.
    listener = threading.Thread(target=server.serve_forever, args=(0.02,), name="runspan-otlp", daemon=True)
    listener.start()
    try:
        yield Receiver(server, store)
    finally:
        server.shutdown()
        listener.join()
        server.close()


class Receiver:
    """What has arrived, and what is answered. Made by `serve`; stays readable after it has ended."""

    def __init__(self, server: Server, store: Inbox) -> None:
        host, port = server.server_address[:2]
        self.endpoint = f"http://{host!s}:{port}"  # for OTEL_EXPORTER_OTLP_ENDPOINT: without /v1/traces
        self.port = port
        self._server = server
        self._store = store

    @property
    def spans(self) -> tuple[Span, ...]:
        """Spans in order of arrival; a span that was sent twice is there twice."""
        return self._store.all(Span)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics in order of arrival, one entry per export."""
        return self._store.all(Metric)

    @property
    def logs(self) -> tuple[LogRecord, ...]:
        """Log records in order of arrival."""
        return self._store.all(LogRecord)

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every POST so far, refused ones too."""
        return self._store.all(Request)

    @property
    def dropped(self) -> int:
        """Items that made room for newer ones (`Limits.kept_items`)."""
        return self._store.dropped

    def wait_for_spans(self, count: int, timeout_s: float = 10.0) -> tuple[Span, ...]:
        """All spans as soon as there are at least `count`, else `TimeoutError`."""
        return self._store.wait(Span, count, timeout_s)

    def wait_for_requests(self, count: int, timeout_s: float = 10.0) -> tuple[Request, ...]:
        """All requests as soon as there are at least `count`, else `TimeoutError`."""
        return self._store.wait(Request, count, timeout_s)

    def answer_with(
        self,
        status: int = 200,
        *,
        retry_after_s: int | None = None,
        delay_s: float = 0.0,
        times: int | None = None,
    ) -> None:
        """Answer good requests so from now on, or the next `times` ones; `answer_with()` is normal again.

        Unless the status is 2xx nothing is kept but the request itself. With a delay, what was sent is kept
        at once and the answer follows later; closing and another `answer_with` cut the delay short.
        """
        self._server.script(Answer(status, retry_after_s, delay_s), times)

    def clear(self) -> None:
        """Forget what has arrived."""
        self._store.clear()
