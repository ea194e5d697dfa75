"""A stored trace as OTLP JSON: what files, the Collector, Jaeger and `runspan replay` take.

Protobuf's own JSON mapping is not OTLP's: ids are hex there and enums are numbers.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.trace.v1 import trace_pb2

from runspan.viewer.decode import HEX_FIELDS


def export(packed: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """One export request of (resource and scope, span) messages; None when there are none."""
    by_source: dict[bytes, trace_pb2.ResourceSpans] = {}
    for source, body in packed:
        if source not in by_source:
            by_source[source] = trace_pb2.ResourceSpans.FromString(source)
        by_source[source].scope_spans[0].spans.append(trace_pb2.Span.FromString(body))
    if not by_source:
        return None
    return json.dumps(
        {"resourceSpans": [_to_json(message) for message in by_source.values()]}, ensure_ascii=False
    ).encode("utf-8", "replace")


def dumps(data: Any) -> bytes:
    """JSON in UTF-8 of whatever attributes may hold: bytes as hex, lone surrogates replaced, NaN as null."""
    return json.dumps(_finite(data), ensure_ascii=False, default=_text).encode("utf-8", "replace")


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)


def _to_json(message: trace_pb2.ResourceSpans) -> Any:
    return _hex(json_format.MessageToDict(message, use_integers_for_enums=True))


def _hex(data: Any) -> Any:
    if isinstance(data, list):
        return [_hex(item) for item in data]
    if isinstance(data, dict):
        return {
            key: base64.b64decode(value).hex()
            if key in HEX_FIELDS and isinstance(value, str)
            else _hex(value)
            for key, value in data.items()
        }
    return data
