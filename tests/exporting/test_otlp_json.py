"""One line of OTLP JSON: what the specification wants, and what our own reader makes of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from runspan.exporting.encoding import encode
from runspan.exporting.file import line
from runspan.viewer.decode import JSON, PROTOBUF
from tests.support.receiver.signals import TRACES, decode

from . import made


def test_it_is_one_line_of_utf8_readable_in_every_script() -> None:
    text = line(encode(made.rich()))
    assert text.count(b"\n") == 1
    assert text.endswith(b"}\n")
    assert "中文 🙂" in text.decode()


def test_ids_are_hex_enums_numbers_and_long_integers_strings() -> None:
    spans = made.rich()
    whole = json.loads(line(encode(spans)))
    (of_resource,) = whole["resourceSpans"]
    (of_scope,) = of_resource["scopeSpans"]
    child, parent = of_scope["spans"]
    context = spans[1].context
    assert (parent["traceId"], parent["spanId"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert "parentSpanId" not in parent
    assert child["parentSpanId"] == parent["spanId"]
    assert (child["links"][0]["traceId"], child["links"][0]["spanId"]) == (
        parent["traceId"],
        parent["spanId"],
    )
    assert (parent["kind"], child["kind"]) == (3, 1)
    assert child["status"] == {"code": 2, "message": "it broke"}
    assert parent["startTimeUnixNano"] == "1700000000123456789"
    values = {pair["key"]: pair["value"] for pair in parent["attributes"]}
    assert values["int"] == {"intValue": str(2**62)}
    assert values["yes"] == {"boolValue": True}
    assert values["nan"] == {"doubleValue": "NaN"}
    assert values["list"] == {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}


def test_our_reader_gets_from_it_what_it_gets_from_protobuf() -> None:
    spans = made.rich()
    of_json = decode(TRACES, line(encode(spans)), JSON)
    of_protobuf = decode(TRACES, encode_spans(spans).SerializeToString(), PROTOBUF)
    assert len(of_json) == 2
    assert [_comparable(s) for s in of_json] == [_comparable(s) for s in of_protobuf]


def _comparable(span: Any) -> Any:
    """NaN is not equal to itself."""
    said = {k: "nan" if isinstance(v, float) and math.isnan(v) else v for k, v in span.attributes.items()}
    return replace(span, attributes=said)


def test_keys_of_the_app_that_look_like_ids_stay() -> None:
    whole = json.loads(line(encode(made.spans({"traceId": "abc"}))))
    (span,) = whole["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["attributes"] == [{"key": "traceId", "value": {"stringValue": "abc"}}]
