"""What a receiver did not take is counted, said once, and makes `flush()` False; through a proxy, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

import runspan
from runspan.exporting.sending import door_of_target, door_of_url
from tests.setup.conftest import settle
from tests.support.answering import answering
from tests.support.collector import serve_grpc
from tests.support.listening import Handler, listening

PROTOBUF = {"Content-Type": "application/x-protobuf"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
LOGIN = b"<html>Please log in</html>"
WORDS = "monthly quota of spans is used up"


def rejecting(number: int) -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = number
    answer.partial_success.error_message = WORDS
    return bytes(answer.SerializeToString())


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    yield
    runspan.uninstrument()
    settle()


def spans(number: int) -> None:
    for _ in range(number):
        with runspan.span("work"):
            pass


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("status", "headers", "body", "lost", "said"),
    [
        (200, PROTOBUF, rejecting(2), 2, WORDS),
        (200, PROTOBUF, rejecting(1), 1, WORDS),
        (200, PROTOBUF, rejecting(99), 2, WORDS),  # more than there were
        (200, HTML, LOGIN, 2, "text/html"),
        (302, {"Location": "http://login.test"}, b"", 2, "302"),
        (200, {"Content-Type": "application/grpc", "grpc-status": "16"}, b"", 2, "gRPC"),
        (200, PROTOBUF, b"", 0, ""),
        (200, {"Content-Type": "application/json"}, b'{"ok": true}', 0, ""),
    ],
)
def test_spans_over_http(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    lost: int,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with answering(status, headers, body) as receiver:
        handle = runspan.instrument(endpoint=receiver.endpoint, exit_timeout_s=20)
        for turn in (1, 2):
            spans(2)
            assert handle.flush(20) is (lost == 0)
            assert dict(handle.stats().dropped) == ({"export_failed_spans": turn * lost} if lost else {})
        assert handle.flush(20)  # nothing more was lost since
        lines = warnings(caplog)
    assert [said in line for line in lines] == [True] * bool(lost)
    assert "<" not in "".join(lines)


def test_spans_are_sent_once_to_a_receiver_whose_answer_breaks_off() -> None:
    asked: list[bytes] = []

    class BreaksOff(Handler):
        def do_POST(self) -> None:
            asked.append(self.body())
            self.answer(200, b"", transfer_encoding="chunked", **PROTOBUF)  # no chunk comes
            self.close_connection = True

    with listening(BreaksOff) as endpoint:
        handle = runspan.instrument(endpoint=endpoint, exit_timeout_s=20)
        spans(2)
        assert handle.flush(20) is False  # they may be there, but nobody has said so
        assert dict(handle.stats().dropped) == {"export_failed_spans": 2}
    assert len(asked) == 1


def test_what_was_lost_before_a_flush_is_told_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans go out by themselves within a second; that was in vain, and the next flush must not say that all is well."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    with answering(200, HTML, LOGIN) as receiver:
        handle = runspan.instrument(endpoint=receiver.endpoint, exit_timeout_s=20)
        spans(1)
        while not handle.stats().dropped:
            pass
        assert handle.flush(20) is False
        assert handle.flush(20) is True


def test_spans_over_grpc(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with serve_grpc() as collector:
        handle = runspan.instrument(endpoint=collector.endpoint, exit_timeout_s=20)
        spans(2)
        assert handle.flush(20)
        collector.rejects = 2
        spans(2)
        assert not handle.flush(20)
        assert dict(handle.stats().dropped) == {"export_failed_spans": 2}
    assert ["quota is used up" in line for line in warnings(caplog)] == [True]


@pytest.mark.parametrize("over", ["http/protobuf", "grpc"])
def test_metrics(over: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 1
    answer.partial_success.error_message = WORDS
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", over)
    with answering(200, PROTOBUF, answer.SerializeToString()) as receiver, serve_grpc() as collector:
        collector.rejects = 1
        endpoint = receiver.endpoint if over == "http/protobuf" else collector.endpoint
        handle = runspan.instrument(endpoint=endpoint, exit_timeout_s=20)
        meter = handle._meters.current().get_meter("test")
        meter.create_counter("runs").add(1)
        assert not handle.flush(20)
        assert not handle.flush(20)  # what failed is sent again, and fails again
        assert receiver.paths or collector.names
    assert ["cannot send metrics" in line for line in warnings(caplog)] == [True]


# ---------------------------------------------------------------- proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_spans_and_metrics_go_out_through_a_proxy_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the address itself, which is no reason to give up at the end."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    with answering() as proxy:
        monkeypatch.setenv(name, proxy.endpoint.removeprefix("http://") if name.isupper() else proxy.endpoint)
        handle = runspan.instrument(endpoint="http://127.0.0.1:9", exit_timeout_s=20)
        spans(1)
        handle._meters.current().get_meter("test").create_counter("runs").add(1)
        assert not handle._providers.is_refused()
        assert handle.flush(20)
        assert sorted(proxy.paths) == ["http://127.0.0.1:9/v1/metrics", "http://127.0.0.1:9/v1/traces"]
        assert not handle.stats().dropped


def test_a_proxy_that_refuses_is_one_that_nobody_listens_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as receiver:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        handle = runspan.instrument(endpoint=receiver.endpoint, exit_timeout_s=0)
        spans(1)
        assert handle._providers.is_refused()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert not handle._providers.is_refused()


def test_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert door_of_url("https://user:key@collector/v1/traces") == ("collector", 443)
    assert door_of_url("http://[::1]:4318/v1/traces") == ("::1", 4318)
    assert (door_of_target("collector:4317"), door_of_target("[::1]:1")) == (("collector", 4317), ("::1", 1))
    monkeypatch.setenv("HTTPS_PROXY", "http://user:key@proxy:3128")
    assert door_of_url("https://collector") == ("proxy", 3128)
    assert door_of_url("http://collector") == ("collector", 80)
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert door_of_target("collector:4317") is None  # gRPC's own rules decide
