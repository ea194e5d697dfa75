"""Start and end of the server: its sockets, its two doors, the thread it runs in."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import uvicorn

from runspan.viewer.ports import HTTP_PORT, PortBusyError, bracketed, check_free, listen, named
from runspan.viewer.store import Bounds, Store
from runspan.viewer.store.files import Note, load
from runspan.viewer.store.place import default_db
from runspan.viewer.web.app import build
from runspan.viewer.web.intake import Intake, Limits
from runspan.viewer.web.safety import gate


@dataclass(frozen=True, slots=True)
class Viewer:
    """A viewer that listens. `endpoint` is for OTEL_EXPORTER_OTLP_ENDPOINT, `url` for a browser (with the token).

    `grpc_endpoint`: where it takes OTLP over gRPC; None where it does not.
    """

    endpoint: str
    url: str
    port: int
    store: Store
    grpc_endpoint: str | None = None


@contextmanager
def serve(
    host: str = "127.0.0.1",
    port: int = HTTP_PORT,
    db: Path | str | None = None,
    token: str | None = None,
    files: Sequence[Path | str] = (),
    *,
    hosts: Sequence[str] = (),
    bounds: Bounds | None = None,
    limits: Limits | None = None,
    grpc_port: int | None = None,
    note: Note = lambda _: None,
) -> Iterator[Viewer]:
    """Listen while the block runs; port 0 takes a free one.

    `db`: the store's file; by default the one in the user's data folder, or with `files` a temporary one. `token`: asked
    of everyone who comes, and needed where `host` is not loopback. `files`: OTLP files to be shown. `hosts`: more names
    for the Host header. `grpc_port`: takes OTLP over gRPC there, too; None: over HTTP alone. `note`: told of what
    is left out of a file. Raises `PortBusyError`, `ValueError` (no token, unreadable file), `store.schema.NotOurFileError`.
    """
    listener = listen(host, port)
    try:
        port = listener.getsockname()[1]
        checks = gate(host, port, token, tuple(hosts))
        if grpc_port == port:
            raise PortBusyError(f"port {port} can't take both HTTP and gRPC: name another one for gRPC")
        if grpc_port is not None:
            check_free(host, grpc_port)
        with TemporaryDirectory(prefix="runspan-") as folder:
            path = Path(db) if db is not None else Path(folder) / "traces.db" if files else default_db()
            with Store(path, bounds) as store:
                for file in files:
                    load(store, Path(file), note)
                address = f"http://{named(host)}:{port}"
                intake = Intake(store, limits or Limits())
                config = uvicorn.Config(
                    build(store, checks, intake, address),
                    http="h11", loop="asyncio", lifespan="off", log_level="warning", access_log=False,
                    server_header=False, date_header=True, timeout_keep_alive=75, limit_concurrency=256,
                    timeout_graceful_shutdown=2, proxy_headers=False,
                )  # fmt: skip
                server = _Server(config, _door(host, grpc_port, intake, token, address))
                with _running(server, listener):
                    grpc = f"http://{named(host)}:{server.grpc_port}" if server.grpc_port else None
                    url = f"{address}/" + (f"?token={quote(token, safe='')}" if token else "")
                    yield Viewer(address, url, port, store, grpc)
    finally:
        listener.close()


Door = Callable[[], Coroutine[Any, Any, tuple[Any, int]]]


def _door(host: str, port: int | None, intake: Intake, token: str | None, page: str) -> Door | None:
    """Opens the gRPC door, on the event loop; None where there is to be none."""
    if port is None:
        return None
    from runspan.viewer.web import grpc_door

    return lambda: grpc_door.opened(f"{bracketed(host)}:{port}", intake, token, page)


@contextmanager
def _running(server: _Server, listener: socket.socket) -> Iterator[None]:
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="runspan-viewer", daemon=True
    )
    thread.start()
    server.ready.wait(10.0)
    try:
        if server.problem is not None:
            raise PortBusyError(f"can't take OTLP over gRPC: {server.problem}")
        yield
    finally:
        server.should_exit = True
        thread.join(10.0)


class _Server(uvicorn.Server):
    """Opens the gRPC door beside its own, on the same loop; says when it is ready; leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config, door: Door | None) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.grpc_port: int | None = None
        self.problem: OSError | None = None
        self._door = door
        self._open: Any = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self._door is not None:
            try:
                self._open, self.grpc_port = await self._door()
            except OSError as error:
                self.problem = error
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        closing = [super().shutdown(sockets=sockets)]
        if self._open is not None:
            closing.append(self._open.stop(GRACE_S))
        await asyncio.gather(*closing)


GRACE_S = 2.0  # for exports under way when the doors close
