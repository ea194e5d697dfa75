"""Batches and what a receiver takes at once: gRPC's 4 MiB, the Collector's own HTTP limit (it answers 400).

Each app makes one batch of the SDK's, 12 MB of spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from backends.installs import OTELCOL
from backends.otelcol import SINK_GRPC, SINK_HTTP, sink, spans_in
from backends.report import At, Check
from backends.told import delivered, play

CUT = "runspan.cut_to_chars"
UNCUT = 50_000_000  # `max_batch_bytes`: as if runspan cut nothing by itself
LARGE = {"spans": 200, "chars": 60_000}
ONE = {"spans": 1, "chars": 3_000_000}


class Case(NamedTuple):
    """`cut`: how many spans have to be shortened to arrive."""

    what: str
    limits: Mapping[str, str]
    size: Mapping[str, int] = LARGE
    options: Mapping[str, Any] = {}
    cut: int = 0


CASES = (
    Case("gRPC, takes 4 MiB", {"SINK_GRPC_MIB": "4"}),
    Case("gRPC, takes 1 MiB", {"SINK_GRPC_MIB": "1"}),
    Case("gRPC, takes 4 MiB, uncut", {"SINK_GRPC_MIB": "4"}, options={"max_batch_bytes": UNCUT}),
    Case("HTTP, takes 1 MB", {"SINK_HTTP_BYTES": "1000000"}),
    Case("gRPC, one span of 3 MB, takes 1 MiB", {"SINK_GRPC_MIB": "1"}, ONE, cut=1),
)


def checks() -> Iterator[Check]:
    for case in CASES:
        at, chars = At("Collector", OTELCOL.version, case.what), case.size["chars"]
        instrument = {"max_text_chars": chars, "max_attribute_chars": chars, **case.options}
        where, protocol = (SINK_GRPC, "grpc") if "gRPC" in case.what else (SINK_HTTP, "http/protobuf")
        with TemporaryDirectory() as folder:
            file = Path(folder) / "sink.jsonl"
            with sink(file, **case.limits):
                options = {**case.size, "instrument": instrument}
                told = play(where, "large", options, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
            found = spans_in(file)  # the Collector has ended: all it took is there
        yield delivered(at, told)
        yield at.same("spans", len(told.spans), len(found))
        both = {s["span"] for s in told.spans} & {s.span for s in found}
        yield at.same("  each once, known by id", len(told.spans), len(both))
        yield at.same("  of them cut", case.cut, sum(CUT in s.attributes for s in found))
