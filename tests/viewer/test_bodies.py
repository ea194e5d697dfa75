"""What may stand in a request: OTLP JSON, every kind of broken body, and what the sender is told."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from runspan.viewer import decode
from runspan.viewer.spans import Event, Link, Span
from tests.support.receiver import Limits, Receiver, serve, signals

TRACE_ID, SPAN_ID, PARENT_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"
LIMITS = Limits(request_bytes=100_000, decoded_bytes=200_000)
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve(limits=LIMITS) as running:
        yield running


def post(
    receiver: Receiver, body: bytes, headers: Mapping[str, str] = JSON, path: str = "/v1/traces"
) -> tuple[int, bytes, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port)
    try:
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read(), response.headers["Content-Type"]
    finally:
        connection.close()


def otlp(**span: Any) -> bytes:
    """A body with one span."""
    span = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "x"} | span
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def test_json_of_the_specification_is_read_whole(receiver: Receiver) -> None:
    body = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "math-tutor"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "runspan", "version": "0.1.0"},
                        "spans": [
                            {
                                "traceId": TRACE_ID.upper(),
                                "spanId": SPAN_ID,
                                "parentSpanId": PARENT_ID,
                                "name": "chat gpt-4o",
                                "kind": 3,
                                "startTimeUnixNano": "1544712660000000000",
                                "endTimeUnixNano": 1544712661000000000,
                                "attributes": [
                                    {"key": "tokens", "value": {"intValue": "9007199254740993"}},
                                    {"key": "cost", "value": {"doubleValue": 0.5}},
                                    {"key": "ok", "value": {"boolValue": True}},
                                    {"key": "raw", "value": {"bytesValue": "AAE="}},
                                    {
                                        "key": "tags",
                                        "value": {"arrayValue": {"values": [{"stringValue": "数"}]}},
                                    },
                                    {
                                        "key": "map",
                                        "value": {
                                            "kvlistValue": {
                                                "values": [{"key": "k", "value": {"intValue": 1}}]
                                            }
                                        },
                                    },
                                    {"key": "none", "value": {}},
                                ],
                                "events": [{"name": "first_token", "timeUnixNano": "1544712660500000000"}],
                                "links": [
                                    {"traceId": "0" * 32, "spanId": PARENT_ID},
                                    {"traceId": TRACE_ID, "spanId": PARENT_ID},
                                    {"traceId": TRACE_ID},
                                ],
                                "status": {"code": 2, "message": "late"},
                                "somethingNew": {"unknown": True},
                            }
                        ],
                    }
                ],
            }
        ]
    }
    assert post(receiver, json.dumps(body).encode()) == (200, b"{}", "application/json")
    assert receiver.spans == (
        Span(
            trace_id=TRACE_ID,
            span_id=SPAN_ID,
            parent_id=PARENT_ID,
            name="chat gpt-4o",
            kind="CLIENT",
            start_ns=1544712660000000000,
            end_ns=1544712661000000000,
            attributes={
                "tokens": 9007199254740993,
                "cost": 0.5,
                "ok": True,
                "raw": b"\x00\x01",
                "tags": ["数"],
                "map": {"k": 1},
                "none": None,
            },
            events=(Event("first_token", 1544712660500000000),),
            links=(Link(TRACE_ID, PARENT_ID),),
            status_code="ERROR",
            status_message="late",
            resource={"service.name": "math-tutor"},
            scope="runspan",
            scope_version="0.1.0",
        ),
    )


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        ({"kind": "SPAN_KIND_SERVER"}, "kind", "SERVER"),
        ({"kind": 2}, "kind", "SERVER"),
        ({"kind": 99}, "kind", "99"),
        ({}, "kind", "UNSPECIFIED"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "status_code", "ERROR"),
        ({"status": {}}, "status_code", "UNSET"),
        ({"parentSpanId": ""}, "parent_id", None),
        ({"parentSpanId": None}, "parent_id", None),
        ({"parentSpanId": "0000000000000000"}, "parent_id", None),
        ({"attributes": [{"key": "a"}, {"key": "a", "value": {"intValue": "2"}}]}, "attributes", {"a": 2}),
    ],
)
def test_json_spellings(receiver: Receiver, given: dict[str, Any], field: str, expected: object) -> None:
    assert post(receiver, otlp(**given))[0] == 200
    assert getattr(receiver.spans[0], field) == expected


NESTED = b'{"resourceSpans":' + b"[" * 50_000
DEEP_VALUE = {"stringValue": "x"}
for _ in range(200):
    DEEP_VALUE = {"arrayValue": {"values": [DEEP_VALUE]}}  # type: ignore[dict-item]
BOMB = gzip.compress(b"\0" * 5_000_000)
TWO_SPANS_ONE_BROKEN = json.dumps(
    {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {"traceId": TRACE_ID, "spanId": SPAN_ID},
                            {"traceId": "5b", "spanId": SPAN_ID},
                        ]
                    }
                ]
            }
        ]
    }
).encode()

BROKEN = {
    "not JSON": (JSON, b"{", 400),
    "empty JSON": (JSON, b"", 400),
    "a JSON list": (JSON, b"[]", 400),
    "not UTF-8": (JSON, b'{"a":"\xff"}', 400),
    "nested JSON": (JSON, NESTED, 400),
    "nested value": (JSON, otlp(attributes=[{"key": "a", "value": DEEP_VALUE}]), 400),
    "a number with ten thousand digits": (JSON, b'{"a":' + b"9" * 10_000 + b"}", 400),
    "lone surrogate": (JSON, otlp(name="\ud800"), 400),
    "wrong types": (JSON, otlp(name=["x"]), 400),
    "null in a list": (JSON, otlp(attributes=[None]), 400),
    "two values in one": (
        JSON,
        otlp(attributes=[{"key": "a", "value": {"intValue": 1, "boolValue": True}}]),
        400,
    ),
    "negative time": (JSON, otlp(startTimeUnixNano=-1), 400),
    "base64 id": (JSON, otlp(traceId="W47/95gDgQPSabYzgT/GDA=="), 400),
    "short id": (JSON, otlp(spanId="eee1"), 400),
    "id of zeroes": (JSON, otlp(traceId="0" * 32), 400),
    "no id": (JSON, otlp(spanId=""), 400),
    "id that is a number": (JSON, otlp(spanId=5), 400),
    "one broken span of two": (JSON, TWO_SPANS_ONE_BROKEN, 400),
    "not protobuf": (PROTOBUF, b"\xff\xff\xff", 400),
    "cut protobuf": (PROTOBUF, b"\x0a\x7f\x01", 400),
    "JSON called protobuf": (PROTOBUF, otlp(), 400),
    "not gzip": (JSON | {"Content-Encoding": "gzip"}, otlp(), 400),
    "cut gzip": (JSON | {"Content-Encoding": "gzip"}, gzip.compress(otlp())[:-9], 400),
    "wrong checksum": (JSON | {"Content-Encoding": "gzip"}, gzip.compress(otlp())[:-8] + bytes(8), 400),
    "gzip bomb": (JSON | {"Content-Encoding": "gzip"}, BOMB, 413),
    "gzip bomb in members": (JSON | {"Content-Encoding": "gzip"}, gzip.compress(b" " * 50_000) * 9, 413),
    "too large": (JSON, b" " * 100_001, 413),
    "unknown encoding": (JSON | {"Content-Encoding": "br"}, otlp(), 415),
    "unknown type": ({"Content-Type": "text/plain"}, otlp(), 415),
    "no type": ({}, otlp(), 415),
    "length is no number": (JSON | {"Content-Length": "x"}, b"", 400),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body_is_refused_in_otlps_form_and_changes_nothing(receiver: Receiver, name: str) -> None:
    headers, body, expected = BROKEN[name]
    status, answer, content_type = post(receiver, body, headers)
    assert status == expected
    if content_type == "application/x-protobuf":
        error = Status.FromString(answer)
        code, message = error.code, error.message
    else:
        code, message = json.loads(answer)["code"], json.loads(answer)["message"]
    assert code == {400: 3, 413: 8, 415: 2}[expected]
    assert message
    assert receiver.spans == ()
    assert [request.status for request in receiver.requests] == [expected]
    assert post(receiver, otlp())[0] == 200  # and it goes on working
    assert len(receiver.spans) == 1


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_encodings(receiver: Receiver, encoding: str, encode: Any) -> None:
    assert post(receiver, encode(otlp()), JSON | {"Content-Encoding": encoding})[0] == 200
    assert receiver.spans[0].name == "x"


def test_gzip_in_several_members_is_one_body(receiver: Receiver) -> None:
    body = otlp()
    members = gzip.compress(body[:40]) + gzip.compress(body[40:])
    assert post(receiver, members, JSON | {"Content-Encoding": "gzip"})[0] == 200
    assert len(receiver.spans) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/traces?x=1", 200), ("/v1/metrics", 200), ("/v1/logs", 200), ("/", 404), ("/v2/x", 404)],
)
def test_paths(receiver: Receiver, path: str, status: int) -> None:
    assert post(receiver, b"{}", path=path)[0] == status


def raw(receiver: Receiver, request: bytes) -> bytes:
    """The whole answer to bytes that no HTTP client would send."""
    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x;note=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def test_a_chunked_body_is_read(receiver: Receiver) -> None:
    body = otlp()
    answer = raw(
        receiver,
        HEAD
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chunked(body[:9], body[9:])
        + b"0\r\nTrailer: 1\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(receiver.spans) == 1


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"\r\n", b"411"),
        (b"Content-Length: -1\r\n\r\n", b"400"),
        (b"Content-Length: 50\r\n\r\n{}", b"400"),
        (b"Content-Length: 99999999999999999999999999\r\n\r\n{}", b"413"),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{}", b"413"),
    ],
)
def test_broken_framing_is_refused(receiver: Receiver, rest: bytes, status: bytes) -> None:
    assert raw(receiver, HEAD + rest).split(b" ")[1] == status
    assert receiver.spans == ()


@pytest.mark.parametrize(
    "request_bytes",
    [b"GET /v1/traces HTTP/1.1\r\n\r\n", b"PUT / HTTP/1.1\r\n\r\n", b"\x16\x03\x01 TLS hello\r\n\r\n"],
)
def test_other_requests_get_an_error_in_json_not_a_page(receiver: Receiver, request_bytes: bytes) -> None:
    answer = raw(receiver, request_bytes)
    assert b"<html" not in answer.lower()
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2] or answer)) == {"code", "message"}


def test_one_connection_carries_many_requests(receiver: Receiver) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port)
    for _ in range(3):
        connection.request("POST", "/v1/traces", otlp(), dict(JSON))
        assert connection.getresponse().read() == b"{}"
    connection.close()
    assert len(receiver.spans) == 3


def test_every_cut_and_every_flipped_byte_is_answered(receiver: Receiver) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="x", trace_id=bytes(range(16)))
    span.span_id = bytes(range(1, 9))
    span.attributes.add(key="k").value.array_value.values.add().int_value = 3
    good = request.SerializeToString()
    broken = [good[:i] for i in range(len(good))]
    broken += [good[:i] + bytes([good[i] ^ 0xFF]) + good[i + 1 :] for i in range(len(good))]
    assert {post(receiver, body, PROTOBUF)[0] for body in broken} <= {200, 400}


def test_a_name_that_is_no_unicode_is_a_bad_body() -> None:
    # protobuf 7.36 ends in a SystemError there.
    with pytest.raises(decode.BadBodyError):
        signals.decode(signals.TRACES, b'{"resourceSpans": [{"\\ud800": 1}]}', decode.JSON)
