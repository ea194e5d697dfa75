"""Requests of bounded size, and what remains of a span that is too large for one."""

from __future__ import annotations

import itertools
import json

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from runspan.exporting.batches import CUT_TO, batches, count, shrink
from runspan.exporting.encoding import encode
from runspan.viewer.decode import PROTOBUF
from runspan.viewer.spans import Span
from tests.support.receiver.signals import TRACES, decode

from . import made

size = ExportTraceServiceRequest.ByteSize


def read(request: ExportTraceServiceRequest) -> list[Span]:
    return list(decode(TRACES, request.SerializeToString(), PROTOBUF))


@pytest.mark.parametrize("max_bytes", [10_000, 16_384, 50_000, 10**7])
def test_every_span_is_in_one_request_in_order_and_none_is_too_large(max_bytes: int) -> None:
    request = encode(
        made.spans(*({"t": "ü" * (n * 37 % 4_000)} for n in range(200)), resource={"r": "v" * 500})
    )
    parts = list(batches(request.resource_spans, max_bytes))
    assert [span for part in parts for span in read(part)] == read(request)
    assert all(size(part) <= max_bytes for part in parts)
    assert sum(map(count, parts)) == 200
    assert all(size(a) + size(b) > max_bytes for a, b in itertools.pairwise(parts))  # none is for nothing


def test_a_span_is_cut_until_it_fits_and_says_so() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "x" * 50_000}]}] * 3
    request = encode(
        made.spans(
            {
                "messages": json.dumps(messages),
                "plain": "y" * 50_000,
                "n": 1,
                "short": "z",
                "of": ["y" * 9_000],
            }
        )
    )
    (whole,) = read(request)
    assert shrink(request, 20_000, size)
    assert size(request) <= 20_000
    (cut,) = read(request)
    assert isinstance(json.loads(str(cut.attributes["messages"])), list)  # still valid
    assert str(cut.attributes["plain"]).endswith("…")
    assert len(str(cut.attributes["plain"])) == cut.attributes[CUT_TO]
    assert (cut.attributes["n"], cut.attributes["short"]) == (1, "z")
    assert (cut.trace_id, cut.span_id, cut.name, cut.start_ns, cut.end_ns) == (
        whole.trace_id,
        whole.span_id,
        whole.name,
        whole.start_ns,
        whole.end_ns,
    )


def test_one_that_never_fits_is_told() -> None:
    request = encode(made.spans({str(n): "x" * 20 for n in range(100)}))
    assert not shrink(request, 500, size)
