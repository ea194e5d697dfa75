"""The receiver against OpenTelemetry's own exporters, over real sockets."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from runspan.viewer.spans import Event, Span
from tests.support.receiver import Limits, Receiver, serve

RESOURCE = Resource({"service.name": "math-tutor"})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve() as running:
        yield running


def export_one(receiver: Receiver, compression: Compression = Compression.NoCompression) -> None:
    exporter = OTLPSpanExporter(f"{receiver.endpoint}/v1/traces", compression=compression)
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("runspan", "0.1.0")
    root = tracer.start_span(
        "run", kind=SpanKind.CLIENT, start_time=1_000, attributes={"n": 1, "tags": ["a", "b"]}
    )
    root.add_event("status", {"to": "completed"}, timestamp=1_500)
    root.set_status(StatusCode.ERROR, "数学 failed")
    root.end(2_000)
    provider.shutdown()


@pytest.mark.parametrize("compression", list(Compression))
def test_a_span_of_the_official_exporter_arrives_whole(receiver: Receiver, compression: Compression) -> None:
    export_one(receiver, compression)
    (span,) = receiver.wait_for_spans(1)
    assert span == Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        name="run",
        kind="CLIENT",
        start_ns=1_000,
        end_ns=2_000,
        attributes={"n": 1, "tags": ["a", "b"]},
        events=(Event("status", 1_500, {"to": "completed"}),),
        status_code="ERROR",
        status_message="数学 failed",
        resource=span.resource,
        scope="runspan",
        scope_version="0.1.0",
    )
    assert (len(span.trace_id), len(span.span_id), span.resource["service.name"]) == (32, 16, "math-tutor")


def test_a_child_names_its_parent_and_its_links(receiver: Receiver) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("parent") as parent:
        child = tracer.start_span("child")
        child.add_link(parent.get_span_context(), {"why": "test"})
        child.end()
    provider.shutdown()
    received_child, received_parent = receiver.wait_for_spans(2)
    assert received_child.parent_id == received_parent.span_id
    assert received_parent.parent_id is None
    (link,) = received_child.links
    assert (link.trace_id, link.span_id) == (received_parent.trace_id, received_parent.span_id)
    assert link.attributes == {"why": "test"}


def test_metrics_are_answered_and_kept(receiver: Receiver) -> None:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{receiver.endpoint}/v1/metrics"))
    provider = MeterProvider([reader], resource=RESOURCE, shutdown_on_exit=False)
    meter = provider.get_meter("runspan")
    meter.create_counter("runspan.runs", "{run}", "Runs by status").add(2, {"status": "completed"})
    meter.create_histogram("runspan.run.queue_time", "s").record(0.5)
    provider.shutdown()
    runs, queue_time = receiver.metrics
    assert (runs.name, runs.unit, runs.description, runs.kind) == (
        "runspan.runs",
        "{run}",
        "Runs by status",
        "sum",
    )
    assert [(point.attributes, point.value) for point in runs.points] == [({"status": "completed"}, 2)]
    assert (queue_time.kind, queue_time.points[0].count, queue_time.points[0].sum) == ("histogram", 1, 0.5)
    assert (runs.scope, runs.resource["service.name"]) == ("runspan", "math-tutor")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_logs_are_answered_and_kept(receiver: Receiver) -> None:
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(f"{receiver.endpoint}/v1/logs"))
    )
    provider.get_logger("runspan").emit(
        timestamp=5, severity_text="INFO", body={"a": [1, None]}, attributes={"x": 1.5}, event_name="details"
    )
    provider.shutdown()
    (record,) = receiver.logs
    assert (record.time_ns, record.severity, record.event_name) == (5, "INFO", "details")
    assert (record.body, record.attributes, record.trace_id) == ({"a": [1, None]}, {"x": 1.5}, None)


def test_a_busy_backend_is_tried_again_after_what_it_asks_for(receiver: Receiver) -> None:
    receiver.answer_with(429, retry_after_s=0, times=1)
    export_one(receiver)
    assert [request.status for request in receiver.wait_for_requests(2)] == [429, 200]
    assert len(receiver.spans) == 1


def test_a_refused_export_leaves_no_span(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.answer_with(401)
    export_one(receiver)
    assert ([request.status for request in receiver.requests], receiver.spans) == ([401], ())
    receiver.answer_with()
    export_one(receiver)
    assert len(receiver.spans) == 1
    assert "401" in caplog.text


def test_requests_tell_path_size_and_headers(receiver: Receiver) -> None:
    export_one(receiver, Compression.Gzip)
    (request,) = receiver.requests
    assert request.path == "/v1/traces"
    assert request.headers["content-encoding"] == "gzip"
    assert request.size == int(request.headers["content-length"])


def test_waiting_says_how_far_it_got(receiver: Receiver) -> None:
    export_one(receiver)
    with pytest.raises(TimeoutError, match=r"1 of 2 spans after 0\.0 s"):
        receiver.wait_for_spans(2, timeout_s=0.0)


def test_waiting_ends_when_the_span_arrives(receiver: Receiver) -> None:
    sender = threading.Thread(target=export_one, args=(receiver,))
    sender.start()
    assert len(receiver.wait_for_spans(1)) == 1
    sender.join()


def test_only_the_newest_are_kept_and_the_rest_is_counted() -> None:
    with serve(limits=Limits(kept_items=2, kept_requests=3)) as receiver:
        for _ in range(5):
            export_one(receiver)
        assert (len(receiver.spans), receiver.dropped, len(receiver.requests)) == (2, 3, 3)
        receiver.clear()
        assert (receiver.spans, receiver.dropped, receiver.requests) == ((), 0, ())


def test_closing_ends_idle_connections_slow_answers_and_all_threads() -> None:
    before = set(threading.enumerate())
    with serve() as receiver:
        idle = socket.create_connection(("127.0.0.1", receiver.port))
        slow = http.client.HTTPConnection("127.0.0.1", receiver.port)
        receiver.answer_with(delay_s=86_400)
        slow.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        receiver.wait_for_requests(1)  # kept at once, answered a day later
    with idle:
        assert idle.recv(1) == b""
    slow.close()
    assert set(threading.enumerate()) <= before
    assert len(receiver.requests) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", receiver.port))


def test_another_answer_ends_the_delay_of_the_one_before() -> None:
    with serve() as receiver:
        slow = http.client.HTTPConnection("127.0.0.1", receiver.port)
        receiver.answer_with(503, delay_s=86_400)
        slow.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        receiver.wait_for_requests(1)
        receiver.answer_with()
        assert slow.getresponse().status == 503
        slow.close()


def test_many_senders_at_once_lose_nothing(receiver: Receiver) -> None:
    senders = [threading.Thread(target=export_one, args=(receiver,)) for _ in range(16)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len({span.span_id for span in receiver.wait_for_spans(16)}) == 16
