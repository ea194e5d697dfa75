"""Spans -> one OTLP `ExportTraceServiceRequest` as JSON on one line.

Protobuf's JSON mapping, with ids in hex (base64 there). OTLP wants numbers for enums and strings for
64-bit integers, which the mapping gives (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"). The SDK's exporter for files
(`opentelemetry-exporter-otlp-json-file`, 0.66b1) is not used: each release needs one version of the whole SDK, its lines have no
bound, and all users can read its files.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_IDS = ("traceId", "spanId", "parentSpanId")


def line(batch: ExportTraceServiceRequest) -> bytes:
    """UTF-8, readable in every script, with a newline at its end and none within."""
    whole = MessageToDict(batch, use_integers_for_enums=True)
    for of_resource in whole.get("resourceSpans", ()):
        for of_scope in of_resource.get("scopeSpans", ()):
            for span in of_scope.get("spans", ()):
                _hex_ids(span)
                for link in span.get("links", ()):
                    _hex_ids(link)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _hex_ids(of: dict[str, Any]) -> None:
    for name in _IDS:
        if name in of:
            of[name] = base64.b64decode(of[name]).hex()
