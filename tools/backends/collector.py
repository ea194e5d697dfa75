"""The Collector: every file of deploy/collector/ validated; the laptop and one-host files carry real spans."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from . import jaeger
from .installs import OTELCOL, ROOT
from .otelcol import DEPLOY, SINK, collector, sink, spans_in, validated
from .report import At, Check
from .servers import until
from .told import compared, play

HTTP, GRPC = "http://127.0.0.1:4318", "http://127.0.0.1:4317"
DOCS = ROOT / "docs" / "backends" / "collector.md"
SAID = ("Paris or Oslo?", "Paris is warmer.", "celsius", "slow letters", "3x + 11", "(14 - 11) / 3")
READS = Path(__file__).with_name("sink-file.yaml")
BEHIND = [  # Jaeger where the deploy files look for it: the Collector has the ports that apps send to
    f"--set=receivers.otlp.protocols.{name}.endpoint=127.0.0.1:{port}"
    for name, port in (("grpc", 14317), ("http", 14318))
]


def checks() -> Iterator[Check]:
    at = At("Collector", OTELCOL.version, "files")
    for config in (*sorted(DEPLOY.glob("*.yaml")), SINK):
        yield at.same(f"validate {config.name}", "", validated(config))
    with TemporaryDirectory() as folder:
        yield from _file(Path(folder))
    with TemporaryDirectory() as folder:
        yield from _without_content(Path(folder))
    with TemporaryDirectory() as folder, jaeger.jaeger(*BEHIND):
        yield from _laptop(Path(folder))
        yield from _host(Path(folder))


def _file(folder: Path) -> Iterator[Check]:
    """What runspan writes with `file=`, the Collector reads: days later, on another machine."""
    written, read = folder / "traces.jsonl", folder / "read.jsonl"
    told = play(RUNSPAN_FILE=str(written))
    at = At("Collector", OTELCOL.version, "file=, otlpjsonfile")
    yield at.same("flush(), dropped, errors", (True, {}, {}), (told.flushed, told.dropped, told.errors))
    yield at.same("spans in the file", len(told.spans), len(spans_in(written)))
    with sink(read, READS, READ_FILE=str(written)):
        found = until(lambda: spans_in(read), lambda f: len(f) >= len(told.spans))
    yield from compared(at, told, found, grain_ns=0)


def _without_content(folder: Path) -> Iterator[Check]:
    """The block of the docs that takes content out at the edge, as it stands there."""
    (block,) = re.findall(r"```yaml\n(processors:.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    config, file = folder / "no-content.yaml", folder / "sink.jsonl"
    config.write_text(f"{block}service: {{pipelines: {{traces: {{processors: [attributes/no-content]}}}}}}\n")
    keys = re.findall(r"key: ([\w.]+)", block)
    with sink(file, config):
        told = play("http://127.0.0.1:24318")
    sent, found = told.spans, spans_in(file)
    at = At("Collector", OTELCOL.version, "HTTP, no-content")
    yield at.same("spans", len(sent), len(found))
    had = sum(key in s["attributes"] for s in sent for key in keys)
    has = sum(key in (s.attributes or {}) for s in found for key in keys)
    yield at.holds("attributes with content", had > 0 and has == 0, had, has)
    left = [text for text in SAID if text in file.read_text("utf-8")]
    yield at.same("  what was said, anywhere", [], left)


def _laptop(folder: Path) -> Iterator[Check]:
    file = folder / "traces.jsonl"
    with collector(DEPLOY / "laptop.yaml", ready="http://127.0.0.1:8889/metrics", TRACES_FILE=str(file)):
        yield from _through_laptop("HTTP", HTTP, "http/protobuf", file)
        yield from _through_laptop("gRPC", GRPC, "grpc", file)


def _through_laptop(transport: str, where: str, protocol: str, file: Path) -> Iterator[Check]:
    at = At("Collector", OTELCOL.version, f"{transport}, laptop")
    service = f"laptop-{transport.lower()}"
    told = play(where, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_SERVICE_NAME=service)
    yield at.same("flush(), dropped, errors", (True, {}, {}), (told.flushed, told.dropped, told.errors))
    yield at.same("spans in Jaeger", len(told.spans), len(jaeger.spans_of(service, len(told.spans))))
    found = until(
        lambda: [s for s in spans_in(file) if s.trace in told.traces], lambda f: len(f) >= len(told.spans)
    )
    yield from compared(at, told, found, grain_ns=0)
    runs = until(lambda: _spanmetric(service), lambda n: n >= len(told.of("invoke_agent")))
    yield at.same("runs in spanmetrics", len(told.of("invoke_agent")), runs)


def _host(folder: Path) -> Iterator[Check]:
    """Tempo is stood in for by a second Collector: what one OTLP receiver takes, the other does."""
    queue, tempo = folder / "queue", folder / "tempo.jsonl"
    queue.mkdir()
    with sink(tempo), collector(DEPLOY / "host.yaml", ready="http://127.0.0.1:13134", QUEUE=str(queue)):
        told = play(HTTP, OTEL_SERVICE_NAME="one-host")
        at = At("Collector", OTELCOL.version, "HTTP, host")
        yield at.same("flush(), dropped, errors", (True, {}, {}), (told.flushed, told.dropped, told.errors))
        yield at.same("spans in Jaeger", len(told.spans), len(jaeger.spans_of("one-host", len(told.spans))))
        found = until(lambda: spans_in(tempo), lambda f: len(f) >= len(told.spans))
        yield from compared(at, told, found, grain_ns=0)
    yield from _restarted(queue, folder / "later.jsonl", folder / "gap")


def _restarted(queue: Path, tempo: Path, gap: Path) -> Iterator[Check]:
    """What came while a store was away, and the Collector restarted, is in the queue on disk."""
    at = At("Collector", OTELCOL.version, "host, restarted")
    with collector(DEPLOY / "host.yaml", ready="http://127.0.0.1:13134", QUEUE=str(queue)):
        told = play(HTTP, OTEL_SERVICE_NAME="restarted")
    with sink(tempo), collector(DEPLOY / "host.yaml", ready="http://127.0.0.1:13134", QUEUE=str(queue)):
        found = until(
            lambda: [
                s for s in spans_in(tempo) if s.trace in told.traces
            ],  # what was sent before may come again
            lambda f: len(f) >= len(told.spans),
            timeout_s=90,
        )
    yield at.same("spans, the store away meanwhile", len(told.spans), len(found))
    yield at.same("  each once", len(told.spans), len({s.span for s in found}))


def _spanmetric(service: str) -> int:
    """Runs that the spanmetrics connector counted, as Prometheus would scrape them."""
    with urllib.request.urlopen("http://127.0.0.1:8889/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    mine = (
        line
        for line in lines
        if line.startswith("traces_span_metrics_calls_total{")
        and f'service_name="{service}"' in line
        and 'gen_ai_operation_name="invoke_agent"' in line
    )
    return int(sum(float(line.rpartition("} ")[2].split()[0]) for line in mine))
