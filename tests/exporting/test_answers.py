"""Which answers count as a delivery: one of OTLP, empty, protobuf or JSON, and no more of it than the receiver says it took."""

from __future__ import annotations

import gzip
import json
import math
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from runspan.exporting.answers import Answer, Verdict, of_grpc_error
from runspan.exporting.sending import (
    MAX_REPLY_BYTES,
    GrpcSender,
    Haste,
    HttpSender,
    SendOptions,
    Tries,
    new_session,
    reply,
)
from tests.support.answering import answering
from tests.support.children import nobody
from tests.support.collector import serve_grpc

TAKEN, REFUSED, AGAIN, TOO_LARGE, AWAY = (
    Verdict.TAKEN,
    Verdict.REFUSED,
    Verdict.AGAIN,
    Verdict.TOO_LARGE,
    Verdict.AWAY,
)
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
HTML = {"Content-Type": "text/html"}
LOGIN = b"<!doctype html><html><body>Please log in</body></html>"
METHODS = {
    ExportTraceServiceResponse: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ExportMetricsServiceResponse: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


def rejecting(
    number: int, message: str = "quota is used up", kind: Any = ExportTraceServiceResponse
) -> bytes:
    answer = kind()
    field = "rejected_spans" if kind is ExportTraceServiceResponse else "rejected_data_points"
    setattr(answer.partial_success, field, number)
    answer.partial_success.error_message = message
    return bytes(answer.SerializeToString())


def rejecting_json(number: Any) -> bytes:
    return json.dumps(
        {"partialSuccess": {"rejectedSpans": number, "errorMessage": "quota is used up"}}
    ).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body", "verdict", "rejected"),
    [
        # deliveries
        (200, {}, b"", TAKEN, 0),
        (202, PROTOBUF, b"", TAKEN, 0),
        (204, {}, b"", TAKEN, 0),
        (200, HTML, b"", TAKEN, 0),
        (200, HTML, b" \r\n", TAKEN, 0),
        (200, PROTOBUF, ExportTraceServiceResponse().SerializeToString(), TAKEN, 0),
        (200, JSON, b"{}", TAKEN, 0),
        (200, JSON, b'{"partialSuccess": {}}', TAKEN, 0),
        (200, JSON, b'{"partialSuccess": null}', TAKEN, 0),
        (200, JSON, b'{"status": "ok", "ids": [1]}', TAKEN, 0),
        (200, JSON, b"[]", TAKEN, 0),
        (200, JSON, b"null", TAKEN, 0),
        (200, JSON, b'{"partialSuccess": "none"}', TAKEN, 0),
        (200, {"Content-Type": "text/plain"}, b"{}", TAKEN, 0),
        (200, {}, b"{}", TAKEN, 0),
        # deliveries of a part
        (200, PROTOBUF, rejecting(2), TAKEN, 2),
        (200, {"Content-Type": "application/protobuf"}, rejecting(2), TAKEN, 2),
        (200, {}, rejecting(2), TAKEN, 2),
        (200, {"Content-Type": "application/octet-stream"}, rejecting(2), TAKEN, 2),
        (200, PROTOBUF, rejecting(-5), TAKEN, 0),
        (200, JSON, rejecting_json(2), TAKEN, 2),
        (200, JSON, rejecting_json("2"), TAKEN, 2),
        (200, JSON, b'{"partial_success": {"rejected_spans": 2}, "more": 1}', TAKEN, 2),
        (200, PROTOBUF, rejecting(0, "use another name"), TAKEN, 0),
        # none
        (200, HTML, LOGIN, REFUSED, 0),
        (200, {}, LOGIN, REFUSED, 0),
        (200, PROTOBUF, LOGIN, REFUSED, 0),
        (200, JSON, LOGIN, REFUSED, 0),
        (203, HTML, LOGIN, REFUSED, 0),
        (200, {"Content-Type": "text/plain"}, b"Welcome", REFUSED, 0),
        (200, {"Content-Type": "image/png"}, b"\x89PNG\r\n", REFUSED, 0),
        (
            200,
            {"Content-Type": "application/grpc", "grpc-status": "16", "grpc-message": "no%20key"},
            b"",
            REFUSED,
            0,
        ),
        (200, {"grpc-status": "12"}, b"", REFUSED, 0),
        (200, {"Content-Type": "application/grpc"}, b"", REFUSED, 0),
        (301, {"Location": "https://login.test/"}, b"", REFUSED, 0),
        (302, {"Location": "/login"}, LOGIN, REFUSED, 0),
        (307, {"Location": "/"}, b"", REFUSED, 0),
        (400, {}, b"bad", REFUSED, 0),
        (401, JSON, b"{}", REFUSED, 0),
        (404, HTML, LOGIN, REFUSED, 0),
        (500, {}, b"", AWAY, 0),
        (429, {}, b"", AGAIN, 0),
        (503, {"Retry-After": "7"}, b"http: request body too large", AGAIN, 0),
        (413, {}, b"", TOO_LARGE, 0),
        (400, PROTOBUF, b"\x08\x03\x12\x1dhttp: request body too large", TOO_LARGE, 0),  # a google.rpc.Status
        (400, PROTOBUF, b"\x08\x03\x12\x0eproto: no field", REFUSED, 0),
    ],
)
def test_what_an_answer_over_http_means(
    status: int, headers: Mapping[str, str], body: bytes, verdict: Verdict, rejected: int
) -> None:
    with answering(status, headers, body) as receiver:
        sender = HttpSender(f"{receiver.endpoint}/v1/traces", ExportTraceServiceResponse, SendOptions({}))
        answer = sender.post(b"", 20)
        sender.close()
    assert (answer.verdict, answer.rejected, answer.status) == (verdict, rejected, status)
    assert receiver.paths == ["/v1/traces"]
    assert "<" not in answer.said  # no markup in our log
    assert (answer.pause_s == 7) is ("Retry-After" in headers)
    if rejected:
        assert "quota" in answer.said or b"error" not in body


def test_data_points_are_counted_like_spans() -> None:
    kind = ExportMetricsServiceResponse
    with answering(200, PROTOBUF, rejecting(3, kind=kind)) as receiver:
        sender = HttpSender(f"{receiver.endpoint}/v1/metrics", kind, SendOptions({}))
        assert sender.post(b"", 20).rejected == 3
        sender.close()


@pytest.mark.parametrize("kind", METHODS)
def test_over_grpc_too(kind: Any) -> None:
    with serve_grpc() as collector:
        sender = GrpcSender(collector.endpoint, METHODS[kind], kind, SendOptions({}), is_insecure=True)
        whole = sender.post(b"", 20)
        collector.rejects = 3
        part = sender.post(b"", 20)
        sender.close()
    assert (whole.verdict, whole.rejected) == (TAKEN, 0)
    assert (part.verdict, part.rejected) == (TAKEN, 3)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("UNAUTHENTICATED", REFUSED),
        ("PERMISSION_DENIED", REFUSED),
        ("INVALID_ARGUMENT", REFUSED),
        ("UNIMPLEMENTED", REFUSED),
        ("UNAVAILABLE", AGAIN),
        ("RESOURCE_EXHAUSTED", AGAIN),
        ("DEADLINE_EXCEEDED", AGAIN),
    ],
)
def test_what_a_refusal_over_grpc_means(code: str, verdict: Verdict) -> None:
    with serve_grpc() as collector:
        collector.abort = grpc.StatusCode[code], "because"
        method = METHODS[ExportTraceServiceResponse]
        sender = GrpcSender(
            collector.endpoint, method, ExportTraceServiceResponse, SendOptions({}), is_insecure=True
        )
        answer = sender.post(b"", 20)
        sender.close()
    assert (answer.verdict, answer.status, answer.said) == (verdict, code, "because")


@pytest.mark.parametrize(
    ("code", "details", "is_too_large"),
    [
        ("RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)", True),
        ("RESOURCE_EXHAUSTED", "grpc: received message larger than max (5 vs. 4)", True),
        ("RESOURCE_EXHAUSTED", "memory limit reached", False),
        ("UNKNOWN", "Received http2 header with status: 413", True),
        ("UNAVAILABLE", "failed to connect to ipv4:127.0.0.1:41300", False),
    ],
)
def test_what_grpc_says_of_a_message_that_is_too_large(code: str, details: str, is_too_large: bool) -> None:
    error = SimpleNamespace(
        code=lambda: SimpleNamespace(name=code), details=lambda: details, trailing_metadata=lambda: None
    )
    assert (of_grpc_error(error).verdict is TOO_LARGE) is is_too_large


def test_a_web_server_on_the_port_of_grpc_takes_nothing() -> None:
    with answering(200, HTML, LOGIN) as receiver:
        method = METHODS[ExportTraceServiceResponse]
        sender = GrpcSender(
            receiver.endpoint, method, ExportTraceServiceResponse, SendOptions({}), is_insecure=True
        )
        assert sender.post(b"", 20).verdict is not TAKEN
        sender.close()


def test_tries_end_with_their_time_and_with_a_stop() -> None:
    with nobody() as endpoint:
        sender = HttpSender(f"{endpoint}/v1/traces", ExportTraceServiceResponse, SendOptions({}))
        asked: list[float] = []
        real = sender.post
        sender.post = lambda body, timeout_s: (asked.append(timeout_s), real(body, timeout_s))[1]  # type: ignore[method-assign]
        answer = Tries(sender, 0.5).send(b"")
        assert (answer.verdict, answer.said) == (AGAIN, "nothing listens there")
        assert (
            len(asked) == 2
        )  # the first again at once, as a closed connection asks for; a second later would be too late
        assert asked == sorted(asked, reverse=True)
        stopped = Tries(sender, 3_600)
        stopped.stop()
        assert stopped.send(b"").verdict is AWAY
        assert len(asked) == 2


@pytest.mark.parametrize("haste", [Haste.WHERE_REFUSED, Haste.ALWAYS])
@pytest.mark.parametrize("over", ["http", "grpc"])
def test_in_haste_there_is_no_pause_where_nobody_listens(over: str, haste: Haste) -> None:
    """Nor does it wait for the rest of one that is under way."""
    kind = ExportTraceServiceResponse
    with nobody() as endpoint:
        sender: Any = (
            HttpSender(f"{endpoint}/v1/traces", kind, SendOptions({}))
            if over == "http"
            else GrpcSender(endpoint, METHODS[kind], kind, SendOptions({}), is_insecure=True)
        )
        tries = Tries(sender, 3_600)
        asked, real, last = [0], sender.post, {"http": 2, "grpc": 1}[over]

        def post(body: bytes, timeout_s: float) -> Answer:
            asked[0] += 1
            if asked[0] == last:  # the pause after it would be a second
                tries.hasten(haste)
            answer: Answer = real(body, timeout_s)
            return answer

        sender.post = post
        answer = tries.send(b"")
        assert (answer.verdict, answer.is_refused, asked) == (AGAIN, True, [last])
        sender.close()


@pytest.mark.parametrize(("haste", "tries"), [(Haste.WHERE_REFUSED, 6), (Haste.ALWAYS, 1)])
def test_one_that_is_busy_is_asked_again_as_long_as_somebody_waits(haste: Haste, tries: int) -> None:
    with answering(503, {"Retry-After": "0.01"}) as receiver:
        sender = HttpSender(f"{receiver.endpoint}/v1/traces", ExportTraceServiceResponse, SendOptions({}))
        hasty = Tries(sender, 60)
        hasty.hasten(haste)
        assert hasty.send(b"").verdict is AGAIN
        sender.close()
    assert len(receiver.paths) == tries


def test_a_receiver_that_is_busy_is_asked_again_when_it_says() -> None:
    with answering(503, {"Retry-After": "0.01"}) as receiver:
        sender = HttpSender(f"{receiver.endpoint}/v1/traces", ExportTraceServiceResponse, SendOptions({}))
        assert Tries(sender, 60).send(b"").verdict is AGAIN
        sender.close()
    assert len(receiver.paths) == 6


@pytest.mark.parametrize("said", ["0", "-5", "nan", "soon"])
def test_a_pause_that_is_none_is_ours_to_choose(said: str) -> None:
    with answering(429, {"Retry-After": said}) as receiver:
        sender = HttpSender(f"{receiver.endpoint}/v1/traces", ExportTraceServiceResponse, SendOptions({}))
        assert sender.post(b"", 20).pause_s is None
        sender.close()


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (HTML, b"x" * 5_000_000),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, gzip.compress(bytes(50_000_000))),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, b"no gzip"),
    ],
    ids=["huge", "huge when decompressed", "not to be decompressed"],
)
def test_of_an_answer_no_more_is_read_than_a_receiver_says(
    headers: Mapping[str, str], body: bytes, status: int
) -> None:
    with answering(status, headers, body) as receiver:
        url = f"{receiver.endpoint}/v1/traces"
        with new_session().post(url, stream=True) as response:
            assert len(reply(response, math.inf).content) <= MAX_REPLY_BYTES + 1
        sender = HttpSender(url, ExportTraceServiceResponse, SendOptions({}))
        answer = sender.post(b"", 20)
        sender.close()
    assert (answer.verdict, answer.status) == (REFUSED, status)


def test_an_answer_that_never_ends_is_waited_for_no_longer_than_for_any() -> None:
    def drip(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(65_536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
            while True:
                client.sendall(b"x")
                time.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: drip(server.accept()[0]))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces"
        sender = HttpSender(url, ExportTraceServiceResponse, SendOptions({}))
        began_s = time.monotonic()
        assert sender.post(b"", 0.3).verdict is REFUSED
        assert time.monotonic() - began_s < 5
        sender.close()
        thread.join(10)
    assert not thread.is_alive()  # the connection was closed


def test_what_the_libraries_raise_is_a_failure() -> None:
    sender = HttpSender("http://[::1", ExportTraceServiceResponse, SendOptions({}))
    assert Tries(sender, 0.1).send(b"").verdict in (AWAY, AGAIN)
