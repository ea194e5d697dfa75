"""Start and end of the server: its socket, the port that may be taken, the thread it runs in."""

from __future__ import annotations

import errno
import http.client
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs
import uvicorn

from runspan.viewer.store import Bounds, Store
from runspan.viewer.store.files import load
from runspan.viewer.web.app import build
from runspan.viewer.web.ingest import Limits
from runspan.viewer.web.safety import gate

DEFAULT_PORT = 4318  # where every OTLP/HTTP exporter sends that was told nothing


class PortBusyError(OSError):
    """Somebody else listens there; the message names them and the way around."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A viewer that listens. `endpoint` is for OTEL_EXPORTER_OTLP_ENDPOINT, `url` for a browser (with the token)."""

    endpoint: str
    url: str
    port: int
    store: Store


def default_db() -> Path:
    """The store in the user's data folder."""
    return platformdirs.user_data_path("runspan", appauthor=False) / "traces.db"


def run(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    db: Path | str | None = None,
    token: str | None = None,
    files: Sequence[Path | str] = (),
    *,
    hosts: Sequence[str] = (),
    bounds: Bounds | None = None,
) -> None:
    """`serve`, until the process is interrupted."""
    with serve(host, port, db, token, files, hosts=hosts, bounds=bounds):
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


@contextmanager
def serve(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    db: Path | str | None = None,
    token: str | None = None,
    files: Sequence[Path | str] = (),
    *,
    hosts: Sequence[str] = (),
    bounds: Bounds | None = None,
    limits: Limits | None = None,
) -> Iterator[Viewer]:
    """Listen while the block runs; port 0 takes a free one.

    `db`: the store's file; by default the one in the user's data folder, or with `files` a temporary one. `token`: asked
    of everyone who comes, and needed where `host` is not loopback. `files`: OTLP files to be shown. `hosts`: more names
    for the Host header. Raises `PortBusyError`, `ValueError` (no token, unreadable file), `store.schema.NotOurFileError`.
    """
    listener = listen(host, port)
    try:
        port = listener.getsockname()[1]
        checks = gate(host, port, token, tuple(hosts))
        with TemporaryDirectory(prefix="runspan-") as folder:
            path = Path(db) if db is not None else Path(folder) / "traces.db" if files else default_db()
            with Store(path, bounds) as store:
                for file in files:
                    load(store, Path(file))
                address = f"http://{_named(host)}:{port}"
                viewer = Viewer(address, f"{address}/" + (f"?token={token}" if token else ""), port, store)
                with _running(uvicorn.Config(
                    build(store, checks, limits or Limits(), address),
                    http="h11", loop="asyncio", lifespan="off", log_level="warning", access_log=False,
                    server_header=False, date_header=True, timeout_keep_alive=75, limit_concurrency=256,
                    timeout_graceful_shutdown=2, proxy_headers=False,
                ), listener):  # fmt: skip
                    yield viewer
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or `PortBusyError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        free = port + 1 if port < 65_535 else port - 1
        raise PortBusyError(
            f"port {port} is taken by {who_answers(host, port)}."
            f" Use --port {free} and OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:{free}"
        ) from error


def who_answers(host: str, port: int) -> str:
    """What listens there, in a few words, judged by its answers."""
    connection = http.client.HTTPConnection(_named(host).strip("[]"), port, timeout=1.0)
    try:
        connection.request("GET", "/about")
        answer = connection.getresponse()
        answer.read(4_096)
        server = answer.headers.get("Server", "")
        if server == "runspan":
            return f"another runspan viewer (open http://{_named(host)}:{port})"
        connection.close()
        connection.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        if answer.status == 200 and "protobuf" in (answer.headers.get("Content-Type") or ""):
            return "an OTLP receiver (an OpenTelemetry Collector, Jaeger or the like)"
        return f"an HTTP server ({server})" if server else "an HTTP server"
    except (OSError, http.client.HTTPException):
        return "a program that does not answer HTTP"
    finally:
        connection.close()


@contextmanager
def _running(config: uvicorn.Config, listener: socket.socket) -> Iterator[None]:
    server = _Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="runspan-viewer", daemon=True
    )
    thread.start()
    server.ready.wait(10.0)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10.0)


class _Server(uvicorn.Server):
    """Says when it is ready; leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


def _named(host: str) -> str:
    """How the host is written in an address; `localhost` for every interface."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - it is compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
