"""The viewer's gRPC door: what the HTTP door takes and refuses, it takes and refuses alike."""

from __future__ import annotations

import gzip
import http.client
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from runspan.viewer import Limits, PortBusyError, Viewer, serve
from runspan.viewer.store import RunFilter
from runspan.viewer.web.grpc_door import PAGE
from tests.support.children import PATIENCE_S

from ..runs import a_run
from ..wire import export, post
from .conftest import SMALL

SERVICE = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"
TRACES, LOGS, METRICS = (SERVICE.format(name.lower(), name) for name in ("Trace", "Logs", "Metrics"))
GZIP = grpc.Compression.Gzip


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    with serve(port=0, db=tmp_path / "traces.db", limits=SMALL, grpc_port=0) as running:
        yield running


@contextmanager
def calling(viewer: Viewer, path: str = TRACES, **options: Any) -> Iterator[Any]:
    """One service's method, which takes and gives bytes."""
    assert viewer.grpc_endpoint is not None
    with grpc.insecure_channel(viewer.grpc_endpoint.removeprefix("http://"), **options) as channel:
        yield channel.unary_unary(path)


def answer(viewer: Viewer, body: bytes, path: str = TRACES, **options: Any) -> tuple[str, str]:
    """The status of one call, and its message."""
    metadata = options.pop("metadata", None)
    with calling(viewer, path, **options) as call:
        try:
            assert call(body, timeout=30, metadata=metadata) == b""
        except grpc.RpcError as error:
            return error.code().name, error.details()
    return "OK", ""


@pytest.mark.parametrize("compression", [None, GZIP, grpc.Compression.Deflate], ids=str)
def test_an_export_is_there_when_it_is_acknowledged(viewer: Viewer, compression: Any) -> None:
    for n in range(1, 6):
        assert answer(viewer, export(*a_run(n)), compression=compression) == ("OK", "")
        assert viewer.store.count_runs(RunFilter()) == n
    assert viewer.store.spans(f"{1:032x}") == list(a_run(1))


@pytest.mark.parametrize("path", [LOGS, METRICS])
def test_logs_and_metrics_are_taken_and_refused_alike(viewer: Viewer, path: str) -> None:
    assert answer(viewer, b"", path) == ("OK", "")
    assert answer(viewer, b"\xff\xff", path)[0] == "INVALID_ARGUMENT"


def test_there_is_no_other_method(viewer: Viewer) -> None:
    assert answer(viewer, b"", "/grpc.reflection.v1.ServerReflection/Info")[0] == "UNIMPLEMENTED"


CUT_SHORT = gzip.compress(b"x" * 99, mtime=0)[:-4]


@pytest.mark.parametrize(
    ("code", "said", "body", "compression"),
    [
        ("INVALID_ARGUMENT", "protobuf", b"\xff\xff nonsense", None),
        ("INVALID_ARGUMENT", "protobuf", b"\xff\xff nonsense" * 40, GZIP),
        ("INVALID_ARGUMENT", "cut short", CUT_SHORT, None),
        ("INVALID_ARGUMENT", "trace_id", export(*a_run(1)).replace(bytes.fromhex(f"{1:032x}"), bytes(16)), None),
        ("RESOURCE_EXHAUSTED", "larger than max", b"x" * 200_001, None),
        ("RESOURCE_EXHAUSTED", "larger than 1000000 bytes", b"\0" * 50_000_000, GZIP),
        ("RESOURCE_EXHAUSTED", "larger than 1000000 bytes", zlib.compress(b"\0" * 50_000_000), None),
    ],
    ids=["nonsense", "packed nonsense", "cut short", "bad id", "too large", "bomb", "bomb in zlib"],
)  # fmt: skip
def test_a_bad_message_is_refused_and_changes_nothing(
    viewer: Viewer, code: str, said: str, body: bytes, compression: Any
) -> None:
    version = viewer.store.version()
    options = [("grpc.max_send_message_length", -1)]
    got = answer(viewer, body, compression=compression, options=options)
    assert got[0] == code
    assert said in got[1]
    assert (viewer.store.version(), viewer.store.count_spans()) == (version, 0)
    assert answer(viewer, export(*a_run(1))) == ("OK", "")


def test_a_full_store_asks_the_sender_to_come_again(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Future[None]:
        done: Future[None] = Future()
        done.set_exception(OSError("disk is full"))
        return done

    monkeypatch.setattr(viewer.store, "add", broken)
    assert answer(viewer, export(*a_run(1))) == ("UNAVAILABLE", "could not be written: disk is full")


def test_a_sender_that_hangs_up_while_its_spans_are_written_keeps_no_other_out(viewer: Viewer) -> None:
    busy = sqlite3.connect(viewer.store.path, isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    with calling(viewer) as call, pytest.raises(grpc.RpcError) as ended:
        call(export(*a_run(1)), timeout=0.5)
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    busy.execute("ROLLBACK")
    busy.close()
    assert answer(viewer, export(*a_run(2))) == ("OK", "")


@pytest.mark.parametrize("how", ["http", "grpc"])
def test_nobody_waits_for_slow_senders(tmp_path: Path, how: str) -> None:
    """More of them than bodies are decoded at once, and a patience longer than the test."""
    limits = Limits(at_once=2, patience_s=600.0)
    with serve(port=0, db=tmp_path / "x.db", limits=limits, grpc_port=0) as viewer, half_sent(viewer, how):
        assert post(viewer.port, export(*a_run(1))).status == 200
        assert answer(viewer, export(*a_run(2))) == ("OK", "")


@contextmanager
def half_sent(viewer: Viewer, how: str) -> Iterator[None]:
    """Six exports that began and do not go on."""
    if how == "grpc":
        with grpc.insecure_channel(str(viewer.grpc_endpoint).removeprefix("http://")) as channel:
            more = threading.Event()
            calls = [channel.stream_unary(TRACES).future(iter(more.wait, True)) for _ in range(6)]
            try:
                for call in calls:
                    assert dict(call.initial_metadata())[PAGE] == viewer.endpoint  # it is being read
                yield
            finally:
                for call in calls:
                    call.cancel()
                more.set()
        return
    connections = [http.client.HTTPConnection("127.0.0.1", viewer.port) for _ in range(6)]
    for connection in connections:
        connection.putrequest("POST", "/v1/traces")
        connection.putheader("Content-Type", "application/x-protobuf")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"x")
    try:
        yield
    finally:
        for connection in connections:
            connection.close()


def until(is_so: Callable[[], bool]) -> None:
    """What was sent may still be on its way."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s


def test_a_message_that_does_not_come_is_given_up(viewer: Viewer) -> None:
    with grpc.insecure_channel(str(viewer.grpc_endpoint).removeprefix("http://")) as channel:
        more = threading.Event()
        call = channel.stream_unary(TRACES).future(iter(more.wait, True))
        assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        more.set()


def test_what_is_in_memory_at_once_is_bounded(tmp_path: Path) -> None:
    """The one that is too much is told to come again; the others are taken."""
    limits = Limits(held_bytes=1_500, patience_s=600.0)
    with serve(port=0, db=tmp_path / "x.db", limits=limits, grpc_port=0) as viewer:
        alone = export(*a_run(1))
        assert len(alone) > limits.held_bytes
        assert post(viewer.port, alone).status == 200  # one is always welcome
        with half_sent(viewer, "http"):
            until(lambda: post(viewer.port, alone).status == 503)
            assert answer(viewer, alone) == ("UNAVAILABLE", "too much arrives at once")
        assert viewer.store.count_runs(RunFilter()) == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, "UNAUTHENTICATED"),
        ("Bearer wrong", "UNAUTHENTICATED"),
        ("s3cret", "UNAUTHENTICATED"),
        ("Bearer s3cret", "OK"),
        ("bearer s3cret", "OK"),
    ],
)
def test_the_token_is_asked_for_before_anything_is_read(tmp_path: Path, given: str | None, code: str) -> None:
    with serve("0.0.0.0", 0, tmp_path / "x.db", "s3cret", grpc_port=0) as viewer:
        metadata = [("authorization", given)] if given else []
        assert answer(viewer, export(*a_run(1)), metadata=metadata)[0] == code
        assert viewer.store.count_runs(RunFilter()) == (code == "OK")
        with grpc.insecure_channel(str(viewer.grpc_endpoint).removeprefix("http://")) as channel:
            endless = threading.Event()
            call = channel.stream_unary(TRACES).future(iter(endless.wait, True), metadata=metadata)
            if code != "OK":
                assert call.code() is grpc.StatusCode.UNAUTHENTICATED  # no message was ever sent
            call.cancel()
            endless.set()


def test_what_a_browser_can_send_leaves_nothing(viewer: Viewer) -> None:
    """HTTP/1.1 is not spoken there, so no page of any origin can bring spans in, whatever name it used."""
    port = int(str(viewer.grpc_endpoint).rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/grpc", "Origin": "https://evil.example"}
    connection.request("POST", TRACES, export(*a_run(1)), headers)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()
    assert viewer.store.count_spans() == 0


def test_a_port_that_is_taken_is_told_and_not_shared(viewer: Viewer, tmp_path: Path) -> None:
    port = int(str(viewer.grpc_endpoint).rpartition(":")[2])
    with (
        pytest.raises(PortBusyError, match=f"port {port} is taken"),
        serve(port=0, db=tmp_path / "b.db", grpc_port=port),
    ):
        pass
    assert not (tmp_path / "b.db").exists()


def test_it_is_closed_unless_asked_for_and_after_the_end(tmp_path: Path) -> None:
    with serve(port=0, db=tmp_path / "a.db") as without:
        assert without.grpc_endpoint is None
    with serve(port=0, db=tmp_path / "a.db", grpc_port=0) as viewer:
        assert answer(viewer, b"") == ("OK", "")
    with calling(viewer) as call, pytest.raises(grpc.RpcError):
        call(b"", timeout=30)


@pytest.mark.parametrize("compression", [None, GZIP], ids=str)
def test_the_sdks_exporter_delivers(viewer: Viewer, compression: Any) -> None:
    exporter = OTLPSpanExporter(endpoint=viewer.grpc_endpoint, compression=compression)
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("buy") as span:
        span.set_attribute("text", "word " * 1_000)
    provider.shutdown()
    (trace,) = viewer.store.traces()
    assert (trace.name, trace.service) == ("buy", "shop")
