"""Encoding in place says what the SDK's encoder says; where it would not, the SDK's is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from runspan.exporting import encoding
from runspan.viewer import receiver as receivers
from tests.support.collector import serve_grpc

from . import made

CONTEXT = SpanContext(2**127 + 1, 2**63 + 1, True, TraceFlags(1), TraceState([("a", "b"), ("c", "d")]))
VALUES: dict[str, Any] = {
    "empty text": "",
    "text": "tést 🙂",
    "no": False,
    "int": -(2**63),
    "float": float("inf"),
    "bytes": b"\x00",
    "mapping": {"a": {"b": [1, "c", None]}, "n": {}},
    "sequence": ("a", 1, 2.5, True, ()),
}


def span(number: int, kind: SpanKind = SpanKind.INTERNAL, **more: Any) -> ReadableSpan:
    return ReadableSpan(f"span {number}", kind=kind, **{"context": CONTEXT, "resource": Resource({}), **more})


def everything() -> list[ReadableSpan]:
    resources = Resource({"service.name": "a"}), Resource({"service.name": "b"}, "https://schema.test/1")
    scopes = (
        InstrumentationScope("x", "1", "https://schema.test/2", {"k": "v"}),
        InstrumentationScope("y"),
        None,
    )
    kinds = [
        span(n, kind, instrumentation_scope=scopes[n % 3], resource=resources[n % 2])
        for n, kind in enumerate(SpanKind)
    ]
    local = SpanContext(3, 4, False)
    again = Resource({"service.name": "a"})  # another object, the same resource
    said = span(
        9,
        attributes=VALUES,
        parent=local,
        start_time=1,
        end_time=2**62,
        resource=again,
        instrumentation_scope=scopes[0],
    )
    failed = span(
        10,
        status=Status(StatusCode.ERROR, "why"),
        parent=CONTEXT,
        links=[Link(local, {"a": 1}), Link(CONTEXT)],
    )
    return [*kinds, said, failed, span(11, status=Status(StatusCode.OK)), *made.rich()]


def test_it_says_the_same_byte_for_byte() -> None:
    for spans in (everything(), everything()[::-1], [], *([one] for one in everything())):
        assert encoding.encode(spans).SerializeToString() == encode_spans(spans).SerializeToString()


class Calls:
    """An encoder that counts."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.count = inner, 0

    def __call__(self, spans: Sequence[ReadableSpan]) -> Any:
        self.count += 1
        return self.inner(spans)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls(encode_spans)
    monkeypatch.setattr(encoding, "encode_spans", calls)
    return calls


def test_the_sdk_encodes_the_first_batch_and_no_other(sdk: Calls) -> None:
    encode = encoding._Checked()
    for _ in range(3):
        assert encode(made.rich()).SerializeToString()
    assert sdk.count == 1


def test_an_sdk_that_says_more_goes_on_encoding(sdk: Calls) -> None:
    def more(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
        request = encode_spans(spans)
        request.resource_spans[0].schema_url = "of later days"
        return request

    sdk.inner = more
    encode = encoding._Checked()
    for _ in range(3):
        assert encode(made.rich()).resource_spans[0].schema_url == "of later days"
    assert sdk.count == 3


def test_a_value_that_cannot_be_encoded_is_the_sdks_to_leave_out(sdk: Calls) -> None:
    odd = span(1, attributes={"half": "\ud800", "whole": "yes"})
    encode = encoding._Checked()
    for spans in (
        [odd],
        made.rich(),
        [odd],
        made.rich(),
    ):  # also as the first batch, which decides nothing then
        assert encode(spans) == encode_spans(spans)
    assert sdk.count == 3


def test_both_exporters_send_what_was_encoded_so(sdk: Calls) -> None:
    with receivers.serve() as receiver:
        exporter = HttpExporter(endpoint=f"{receiver.endpoint}/v1/traces")
        encoding.quicken(exporter)
        for _ in range(2):
            assert exporter.export(made.rich()) is SpanExportResult.SUCCESS
        exporter.shutdown()
        assert [one.name for one in receiver.spans] == ["child", "parent"] * 2
    with serve_grpc() as got:
        grpc = GrpcExporter(endpoint=got.endpoint, insecure=True)
        encoding.quicken(grpc)
        for _ in range(2):
            assert grpc.export(made.rich()) is SpanExportResult.SUCCESS
        grpc.shutdown()
        assert got.names == ["child", "parent"] * 2
    assert sdk.count == 2


def test_another_exporter_stays_as_it_is() -> None:
    class Other:
        def export(self) -> str:
            return "theirs"

    other = Other()
    encoding.quicken(other)
    encoding.quicken(object())
    assert other.export() == "theirs"
    assert "export" not in vars(other)
