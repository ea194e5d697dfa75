from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status

from runspan.viewer import Bounds, Viewer, serve
from runspan.viewer.store import RunFilter
from runspan.viewer.web import otlp_json

from ..runs import a_run
from ..wire import Answer, call, export, post

JSON = "application/json"


def as_json(viewer: Viewer) -> bytes:
    """Run 9 as OTLP JSON, by way of a viewer."""
    post(viewer.port, export(*a_run(9)))
    body = otlp_json.export(viewer.store.packed(f"{9:032x}"))
    assert body is not None
    return body


def test_protobuf_json_and_compressed_exports_are_taken(viewer: Viewer, tmp_path: Path) -> None:
    body, text = export(*a_run(1)), as_json(viewer)
    assert post(viewer.port, body) == post(viewer.port, gzip.compress(body, mtime=0), Content_Encoding="gzip")
    assert post(viewer.port, zlib.compress(body), Content_Encoding="deflate").status == 200
    with serve(port=0, db=tmp_path / "other.db") as other:
        answer = post(other.port, text, content_type="application/json; charset=utf-8")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"{}", JSON)
        assert other.store.spans(f"{9:032x}") == list(a_run(9))
    answer = post(viewer.port, body)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (
        200,
        b"",
        "application/x-protobuf",
    )


def test_what_is_acknowledged_is_there(viewer: Viewer) -> None:
    for n in range(1, 20):
        assert post(viewer.port, export(*a_run(n))).status == 200
        assert viewer.store.count_runs(RunFilter()) == n


def refused(answer: Answer) -> tuple[int, int, str]:
    """(HTTP status, google.rpc code, message), whichever encoding it came in."""
    if "json" in answer.headers["content-type"]:
        data = json.loads(answer.body)
        return answer.status, data["code"], data["message"]
    status = Status.FromString(answer.body)
    return answer.status, status.code, status.message


NESTED = b'{"a":' * 20_000 + b"1" + b"}" * 20_000  # whole: the parser of 3.14 follows it to its end
BOMB = gzip.compress(b"\0" * 50_000_000, mtime=0)


@pytest.mark.parametrize(
    ("expected", "message", "body", "content_type", "headers"),
    [
        ((400, 3), "protobuf", b"\xff\xff nonsense", "application/x-protobuf", {}),
        ((400, 3), "json", b"{not json", JSON, {}),
        ((400, 3), "object", b"[]", JSON, {}),
        ((400, 3), "deep", NESTED, JSON, {}),
        ((400, 3), "gzip", b"not gzip", "application/x-protobuf", {"Content_Encoding": "gzip"}),
        ((400, 3), "cut short", gzip.compress(b"x" * 9, mtime=0)[:-4], "application/x-protobuf", {"Content_Encoding": "gzip"}),
        ((400, 3), "trace_id", b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00"}]}]}]}', JSON, {}),
        ((413, 8), "larger", b"x" * 200_001, "application/x-protobuf", {}),
        ((413, 8), "larger", BOMB, "application/x-protobuf", {"Content_Encoding": "gzip"}),
        ((415, 2), "content type", b"{}", "text/plain", {}),
        ((415, 2), "content encoding", b"{}", JSON, {"Content_Encoding": "br"}),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_bad_body_is_refused_in_otlps_own_form_and_changes_nothing(
    viewer: Viewer,
    expected: tuple[int, int],
    message: str,
    body: bytes,
    content_type: str,
    headers: dict[str, str],
) -> None:
    version = viewer.store.version()
    status, code, said = refused(post(viewer.port, body, content_type=content_type, **headers))
    assert (status, code) == expected
    assert message in said
    assert viewer.store.version() == version
    assert viewer.store.count_spans() == 0
    assert post(viewer.port, export(*a_run(1))).status == 200


def test_one_bad_span_refuses_the_whole_request(viewer: Viewer) -> None:
    good = json.loads(as_json(viewer))
    good["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(traceId="zz", spanId="11" * 8)
    answer = post(viewer.port, json.dumps(good).encode(), content_type=JSON)
    assert refused(answer)[:2] == (400, 3)
    assert viewer.store.count_spans() == 4


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics"])
def test_logs_and_metrics_are_taken_and_refused_alike(viewer: Viewer, path: str) -> None:
    assert post(viewer.port, b"", path=path).status == 200
    assert post(viewer.port, b"{}", path=path, content_type=JSON).status == 200
    assert refused(post(viewer.port, b"{", path=path, content_type=JSON))[:2] == (400, 3)


def test_a_log_record_stands_in_its_span(
    viewer: Viewer, get: Callable[[str], Answer], send: Callable[..., None]
) -> None:
    spans = a_run(1)
    send(*spans)
    record = {"timeUnixNano": str(spans[2].start_ns + 10**8), "traceId": spans[2].trace_id, "spanId": spans[2].span_id,
              "eventName": "cache.miss", "attributes": [{"key": "cache", "value": {"stringValue": "prompt <b>"}}]}  # fmt: skip
    homeless = {"timeUnixNano": "1", "body": {"stringValue": "nowhere"}}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record, homeless]}]}]}).encode()
    assert post(viewer.port, body, path="/v1/logs", content_type=JSON).status == 200
    page = get(f"/trace/{spans[2].trace_id}?span={spans[2].span_id}").text
    assert "cache.miss" in page
    assert "prompt &lt;b&gt;" in page
    assert viewer.store.select("SELECT count(*) FROM logs") == [(1,)]


def test_content_that_went_on_log_records_is_shown_as_a_conversation(
    viewer: Viewer, get: Callable[[str], Answer], send: Callable[..., None]
) -> None:
    spans = a_run(1)
    for key in ("gen_ai.input.messages", "gen_ai.output.messages"):
        dict.pop(spans[2].attributes, key)  # type: ignore[arg-type]
    send(*spans)
    said = {"arrayValue": {"values": [{"kvlistValue": {"values": [
        {"key": "role", "value": {"stringValue": "user"}},
        {"key": "parts", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": [
            {"key": "type", "value": {"stringValue": "text"}}, {"key": "content", "value": {"stringValue": "on the log"}}]}}]}}},
    ]}}]}}  # fmt: skip
    record = {"timeUnixNano": "1", "traceId": spans[2].trace_id, "spanId": spans[2].span_id,
              "eventName": "gen_ai.client.inference.operation.details",
              "attributes": [{"key": "gen_ai.input.messages", "value": said}]}  # fmt: skip
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    assert post(viewer.port, body, path="/v1/logs", content_type=JSON).status == 200
    assert "on the log" in get("/thread?id=thread_1").text


def test_chunks_beyond_the_limit_are_refused_while_they_come(viewer: Viewer) -> None:
    with socket.create_connection(("127.0.0.1", viewer.port), timeout=10) as connection:
        head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000)
        sent = 0
        try:
            for _ in range(2_000):  # 100 MB
                connection.sendall(chunk)
                sent += 1
        except OSError:
            pass
        assert sent < 2_000


def test_a_body_of_a_hundred_megabytes_is_refused_by_its_length(viewer: Viewer) -> None:
    with socket.create_connection(("127.0.0.1", viewer.port), timeout=10) as connection:
        head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
        connection.sendall(f"{head}Content-Length: 100000000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_given_up(viewer: Viewer) -> None:
    with socket.create_connection(("127.0.0.1", viewer.port), timeout=10) as connection:
        head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\nx".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_sender_that_is_slower_than_the_end_of_the_viewer_is_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    head = (
        f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n{{"
    )
    with serve(port=0, db=tmp_path / "traces.db") as viewer:
        sender = socket.create_connection(("127.0.0.1", viewer.port))
        sender.sendall(head.encode())
        assert call(viewer.port, "GET", "/about").status == 200
    with sender:
        answer = sender.recv(65_536).partition(b"\r\n")[0].decode()
    assert answer in ("HTTP/1.1 408 Request Timeout", "HTTP/1.1 415 Unsupported Media Type")
    assert not [record for record in caplog.records if record.exc_info]


def test_a_sender_that_leaves_in_the_middle_leaves_nothing(viewer: Viewer) -> None:
    body = export(*a_run(1))
    with socket.create_connection(("127.0.0.1", viewer.port), timeout=10) as connection:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}"
        connection.sendall(f"{head}\r\n\r\n".encode() + body[: len(body) // 2])
    assert post(viewer.port, export(*a_run(2))).status == 200
    assert viewer.store.count_runs(RunFilter()) == 1


def test_a_full_store_asks_the_sender_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(port=0, db=tmp_path / "traces.db", bounds=Bounds()) as viewer:

        def broken(_: object) -> Future[None]:
            done: Future[None] = Future()
            done.set_exception(OSError("disk is full"))
            return done

        monkeypatch.setattr(viewer.store, "add", broken)
        answer = post(viewer.port, export(*a_run(1)))
        assert refused(answer) == (503, 14, "could not be written: disk is full")
        assert answer.headers["retry-after"] == "5"


def test_only_posts_are_taken(viewer: Viewer) -> None:
    assert call(viewer.port, "GET", "/v1/traces").status == 405
    assert call(viewer.port, "POST", "/", b"").status == 405
    assert call(viewer.port, "POST", "/v1/nothing", b"").status == 404
