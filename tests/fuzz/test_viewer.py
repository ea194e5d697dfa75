"""Broken bodies and odd requests against a running viewer, which answers each in the form of the door that it came to."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from runspan.exporting import file
from runspan.viewer import Limits, Viewer, serve
from runspan.viewer.otlp_answers import RPC_CODES
from tests.viewer.hand_made import MATH_TUTOR
from tests.viewer.wire import PROTOBUF, Answer, call, export, post

JSON = "application/json"
WHOLE = export(*MATH_TUTOR)
GOOD = {PROTOBUF: WHOLE, JSON: file.line(ExportTraceServiceRequest.FromString(WHOLE))}
TRACE = MATH_TUTOR[0].trace_id
LIMITS = Limits(request_bytes=2**18, decoded_bytes=2**20)
SIGNALS = st.sampled_from(("traces", "logs", "metrics"))
SERVICE = "/opentelemetry.proto.collector.{}.v1.{}Service/Export"
SERVICES = st.sampled_from([SERVICE.format(name.lower(), name) for name in ("Trace", "Logs", "Metrics")])
COMPRESSIONS = st.sampled_from((None, grpc.Compression.Gzip, grpc.Compression.Deflate))
KINDS = st.sampled_from(("text/plain", "", "application/json;charset=latin-1", JSON, PROTOBUF))

BOMB = b"\0" * 2_000_000  # packed, it is small
JUNK = st.binary(max_size=20) | st.sampled_from(
    (b"\x00" * 9, b"\xff" * 12, b"\xed\xa0\x80", b'"\\ud800"', b"1e999", b"NaN", b"null", b"{}", b"[[[[", b"\xe2\x80\xae<b>",
     b"-1", b"18446744073709551616", b"9" * 400)
)  # fmt: skip
# (body, place, length, junk) -> the body, broken
EDITS: tuple[Callable[[bytes, int, int, bytes], bytes], ...] = (
    lambda body, at, size, junk: body[:at],
    lambda body, at, size, junk: body[at:] + body[:at],
    lambda body, at, size, junk: body[:at] + body[at + size :],
    lambda body, at, size, junk: body[:at] + body[at : at + size] * 50 + body[at:],
    lambda body, at, size, junk: body[:at] + junk + body[at:],
    lambda body, at, size, junk: body[:at] + junk + body[at + len(junk) :],
)
EDITED = st.lists(
    st.tuples(st.sampled_from(EDITS), st.integers(0, 10_000), st.integers(0, 200), JUNK), max_size=8
)
PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": bytes,
    "x" * 50: bytes,
}

ODD = st.sampled_from(
    ("", "0", "-1", "1", "9" * 30, "1e400", "NaN", "%", "'; DROP TABLE runs; --", '"', '""', "*", "AND", "NEAR(", "a" * 600, "\x00",
     "\u202e", "\ufffd", "\U0001f4a5", "2026-02-30", "2026-01-05", "0000-00-00", "9999-12-31", "500ms", "1h", "duration", "asc",
     "day", "assistant", "../../etc/passwd", "key=value", "=", "==", "completed", "lookup", "\u4f4f")
)  # fmt: skip
NAMES = ODD | st.sampled_from((TRACE, f"{TRACE}.{'0' * 15}6", f"{TRACE}.x"))
PARAMETERS = st.sampled_from(
    ("q", "errors", "status", "name", "model", "service", "thread", "session", "user", "attr", "since", "day", "min", "sort",
     "order", "limit", "page", "by")
)  # fmt: skip
PATHS = {
    "GET": ("", "/runs", "/runs/{}", "/traces", "/traces/{}", "/threads/{}", "/sessions/{}", "/stats", "/export", "/{}"),
    "POST": ("/import", "/traces/{}/keep", "/traces/{}/release", "/traces/{}/x"),
    "DELETE": ("/runs", "/traces/{}"),
}  # fmt: skip
METHODS = st.sampled_from(("GET",) * 8 + ("POST", "DELETE"))


@st.composite
def nested(draw: st.DrawFn) -> bytes:
    depth = draw(st.sampled_from((10, 90, 150, 5_000)))
    value = b'{"arrayValue":{"values":[' * depth + b"]}}" * depth
    return b'{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":' + value + b"}]}}]}"


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, str]:
    """(body, what kind it was before it was broken)."""
    kind = draw(st.sampled_from(sorted(GOOD)))
    whole = draw(st.just(GOOD[kind]) | (nested() if kind == JSON else st.just(BOMB)))
    return edited(whole, draw(EDITED)), kind


def edited(body: bytes, edits: list[Any]) -> bytes:
    for edit, place, size, junk in edits:
        body = edit(body, place * len(body) // 10_000, size, junk)
    return body


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """With one good trace in it. At the end it shows what it took."""
    path = tmp_path_factory.mktemp("viewer") / "traces.db"
    with serve(port=0, db=path, limits=LIMITS, grpc_port=0) as running:
        assert post(running.port, WHOLE).status == 200
        yield running
        pages = ["/", "/overview", "/traces", "/threads", "/sessions"]
        links = re.findall(r"/trace/[0-9a-f]{32}", call(running.port, "GET", "/traces").text)
        assert {call(running.port, "GET", page).status for page in [*pages, *links]} == {200}


@given(bodies(), SIGNALS, st.none() | KINDS, st.sampled_from(sorted(PACKED)), EDITED)
def test_an_export_over_http_is_answered_in_otlps_form(
    viewer: Viewer, made: tuple[bytes, str], signal: str, odd_kind: str | None, encoding: str, again: list[Any]
) -> None:  # fmt: skip
    body, kind = made
    sent = edited(PACKED[encoding](body), again if encoding else [])
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = asked(viewer, "POST", f"/v1/{signal}", sent, {"Content-Type": odd_kind or kind, **headers})
    if answer is not None:
        assert answer.status in (200, 400, 413, 415)
        if answer.status != 200 and "json" in answer.headers["content-type"]:
            assert json.loads(answer.body)["code"] == RPC_CODES.get(answer.status, 2)


@given(bodies(), SERVICES, COMPRESSIONS)
def test_an_export_over_grpc_is_taken_or_refused_with_a_reason(
    viewer: Viewer, made: tuple[bytes, str], service: str, compression: Any
) -> None:
    status, said = exported(viewer, service, made[0], compression)
    assert status in ("OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")
    assert bool(said) is (status != "OK")


@given(METHODS, st.data(), NAMES, st.lists(st.tuples(PARAMETERS, ODD), max_size=5), bodies())
def test_a_request_to_the_json_api_is_answered_by_json_or_an_error_of_its_own(
    viewer: Viewer, method: str, data: st.DataObject, name: str, pairs: list[tuple[str, str]], made: tuple[bytes, str]
) -> None:  # fmt: skip
    path = data.draw(st.sampled_from(PATHS[method])).format(quote(name, safe=""))
    query = "&".join(f"{key}={quote(value)}" for key, value in pairs)
    body = made[0] if path == "/import" else b""
    answer = asked(viewer, method, f"/api/v1{path}?{query}", body, {})
    if answer is None or (answer.status != 200 and (answer.status in (405, 414) or not answer.body)):
        return
    assert answer.status in (200, 307, 400, 404, 413)
    kind = answer.headers.get("content-type", "")
    if answer.status == 200 or "html" not in kind:
        answers = [parsed(one) for one in (answer.body.splitlines() if "jsonl" in kind else [answer.body])]
        assert answer.status == 200 or answers[0].keys() == {"error"}


def exported(viewer: Viewer, service: str, body: bytes, compression: Any) -> tuple[str, object]:
    """(status, what the answer or the error holds)."""
    with grpc.insecure_channel(str(viewer.grpc_endpoint).removeprefix("http://")) as channel:
        try:
            return "OK", channel.unary_unary(service)(body, timeout=60, compression=compression)
        except grpc.RpcError as error:
            return error.code().name, error.details()


def asked(viewer: Viewer, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | None:
    """None: a body beyond the limit was refused, and the connection ended, before we had sent it all."""
    try:
        return call(viewer.port, method, path, body, headers)
    except (OSError, http.client.HTTPException):
        assert len(body) > LIMITS.request_bytes
        return None


def parsed(text: bytes) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)
