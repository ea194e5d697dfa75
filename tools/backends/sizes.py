"""Batches and what a receiver takes at once: gRPC's 4 MiB, the Collector's own HTTP limit (it answers 400), a proxy's 413.

Each app makes one batch of the SDK's, 12 MB of spans. What the SDK's exporter alone makes of it stands first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from .gate import gate
from .installs import OTELCOL
from .otelcol import sink, spans_in
from .report import At, Check
from .told import Seen, Told, environment

HTTP, GRPC = "http://127.0.0.1:24318", "http://127.0.0.1:24317"
SPANS, CHARS = 200, 60_000
CUT = "runspan.cut_to_chars"
UNCUT = 50_000_000  # `max_batch_bytes`: as if runspan cut nothing by itself


@dataclass(frozen=True)
class Case:
    """`cut`: how many spans have to be shortened to arrive."""

    what: str
    where: str = HTTP
    sink: dict[str, str] = field(default_factory=dict)
    gate: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    cut: int = 0


LARGE = {"spans": SPANS, "chars": CHARS}
CASES = (
    Case("gRPC, takes 4 MiB", GRPC, {"SINK_GRPC_MIB": "4"}, options=LARGE),
    Case("gRPC, takes 1 MiB", GRPC, {"SINK_GRPC_MIB": "1"}, options=LARGE),
    Case(
        "gRPC, takes 4 MiB, uncut", GRPC, {"SINK_GRPC_MIB": "4"}, options={**LARGE, "max_batch_bytes": UNCUT}
    ),
    Case("HTTP, takes 1 MB", sink={"SINK_HTTP_BYTES": "1000000"}, options=LARGE),
    Case("HTTP, 413 of a proxy", gate={"largest": 1_000_000}, options=LARGE),
    Case(
        "gRPC, one span of 3 MB, takes 1 MiB",
        GRPC,
        {"SINK_GRPC_MIB": "1"},
        options={"spans": 1, "chars": 3_000_000},
        cut=1,
    ),
)


def checks() -> Iterator[Check]:
    yield from _alone()
    for case in CASES:
        at = At("Collector", OTELCOL.version, case.what)
        told, found = _played(case)
        yield at.same("flush(), dropped, errors", (True, {}, {}), (told.flushed, told.dropped, told.errors))
        yield at.same("spans", len(told.spans), len(found))
        both = {s["span"] for s in told.spans} & {s.span for s in found}
        yield at.same("  each once, known by id", len(told.spans), len(both))
        yield at.same("  of them cut", case.cut, sum(CUT in (s.attributes or {}) for s in found))


def _alone() -> Iterator[Check]:
    """Why all this: what the SDK's exporters make of the same batch, if nobody cuts it."""
    exporters: tuple[tuple[str, SpanExporter, dict[str, str]], ...] = (
        ("gRPC, the SDK alone", GrpcExporter(GRPC, insecure=True, timeout=3), {"SINK_GRPC_MIB": "4"}),
        ("HTTP, the SDK alone", HttpExporter(f"{HTTP}/v1/traces", timeout=3), {"SINK_HTTP_BYTES": "1000000"}),
    )
    for what, exporter, limit in exporters:
        with TemporaryDirectory() as folder, sink(file := Path(folder) / "sink.jsonl", **limit):
            provider = TracerProvider(shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(exporter))
            for number in range(SPANS):
                provider.get_tracer("alone").start_span(f"turn {number}", attributes={"t": "x" * CHARS}).end()
            provider.shutdown()
            lost = SPANS - len(spans_in(file))
        yield At("Collector", OTELCOL.version, what).same("spans lost, why all this", SPANS, lost)


def _played(case: Case) -> tuple[Told, list[Seen]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sink.jsonl"
        with (
            sink(file, **case.sink),
            gate(HTTP, **case.gate) if case.gate is not None else nullcontext() as before,
        ):
            env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"} if case.where == GRPC else {}
            where = before.endpoint if before else case.where
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "backends.large", json.dumps(case.options)],
                env=environment(where, **env),
                stdout=subprocess.PIPE,
                stderr=sys.stderr,
                timeout=180,
                check=True,
            )
        return Told(**json.loads(done.stdout)), spans_in(
            file
        )  # the Collector has ended: all it took is there
