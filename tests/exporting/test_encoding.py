"""Encoding in place says what the SDK's encoder says; what it can't encode goes to that."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from runspan.exporting import encoding

from . import made

CONTEXT = SpanContext(2**127 + 1, 2**63 + 1, True, TraceFlags(1), TraceState([("a", "b"), ("c", "d")]))
VALUES: dict[str, Any] = {
    "empty text": "",
    "text": "tést 🙂",
    "no": False,
    "int": -(2**63),
    "float": float("inf"),
    "bytes": b"\x00",
    "mapping": {"a": {"b": [1, "c"]}, "n": {}},
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
    with_nothing = span(12, attributes={"mapping": {"a": {"b": [1, "c", None]}}})
    known = (
        [with_nothing]
        if encode_spans([with_nothing]).resource_spans[0].scope_spans[0].spans[0].attributes
        else []
    )
    for spans in (
        [*everything(), *known],
        everything(),
        everything()[::-1],
        [],
        *([one] for one in everything()),
    ):
        assert encoding._encode(spans).SerializeToString() == encode_spans(spans).SerializeToString()


def test_a_value_that_cannot_be_encoded_is_the_sdks_to_leave_out() -> None:
    odd = span(1, attributes={"half": "\ud800", "whole": "yes"})
    for spans in ([odd], made.rich(), [odd, *made.rich()]):
        assert encoding.encode(spans) == encode_spans(spans)
