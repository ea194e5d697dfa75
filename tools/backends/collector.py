"""The Collector: every file of deploy/collector/ validated; the laptop and one-host files carry real spans."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from backends import jaeger
from backends.installs import OTELCOL, ROOT
from backends.otelcol import DEPLOY, SINK, SINK_HTTP, Process, collector, sink, spans_in, validated
from backends.report import At, Check
from backends.servers import until
from backends.told import Seen, Told, compared, delivered, play

HTTP = "http://127.0.0.1:4318"
DOCS = ROOT / "docs" / "backends" / "collector.md"
SAID = ("Paris or Oslo?", "Paris is warmer.", "celsius", "slow letters", "3x + 11", "(14 - 11) / 3")
READS = Path(__file__).with_name("sink-file.yaml")
METRICS = "http://127.0.0.1:8889/metrics"
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
        yield from _without_content(Path(folder))
    with TemporaryDirectory() as folder, jaeger.jaeger(*BEHIND):
        yield from _laptop(Path(folder))
        yield from _host(Path(folder))


def _at(transport: str) -> At:
    return At("Collector", OTELCOL.version, transport)


def _arrived(file: Path, told: Told, timeout_s: float = 30.0) -> list[Seen]:
    """Of these traces alone: what was sent before may come again."""
    return until(
        lambda: [s for s in spans_in(file) if s.trace in told.traces],
        lambda f: len(f) >= len(told.spans),
        timeout_s,
    )


def _file(folder: Path) -> Iterator[Check]:
    """What runspan writes with `file=`, the Collector reads: days later, on another machine."""
    written, read = folder / "traces.jsonl", folder / "read.jsonl"
    told = play(RUNSPAN_FILE=str(written))
    at = _at("file=, otlpjsonfile")
    yield delivered(at, told)
    yield at.same("spans in the file", len(told.spans), len(spans_in(written)))
    with sink(read, READS, READ_FILE=str(written)):
        yield from compared(at, told, _arrived(read, told), grain_ns=0)


def _without_content(folder: Path) -> Iterator[Check]:
    """The block of the docs that takes content out at the edge, as it stands there."""
    (block,) = re.findall(r"```yaml\n(processors:.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    config, file = folder / "no-content.yaml", folder / "sink.jsonl"
    config.write_text(f"{block}service: {{pipelines: {{traces: {{processors: [attributes/no-content]}}}}}}\n")
    keys = re.findall(r"key: ([\w.]+)", block)
    with sink(file, config):
        told = play(SINK_HTTP)
    at, found = _at("HTTP, no-content"), spans_in(file)
    yield at.same("spans", len(told.spans), len(found))
    had = sum(key in s["attributes"] for s in told.spans for key in keys)
    has = sum(key in s.attributes for s in found for key in keys)
    yield at.holds("attributes with content", had > 0 and has == 0, had, has)
    text = file.read_text("utf-8")
    yield at.same("  what was said, anywhere", [], [said for said in SAID if said in text])


def _laptop(folder: Path) -> Iterator[Check]:
    file = folder / "traces.jsonl"
    with collector(DEPLOY / "laptop.yaml", ready=METRICS, TRACES_FILE=str(file)):
        for transport, where, protocol in jaeger.TRANSPORTS:
            yield from _through_laptop(_at(f"{transport}, laptop"), where, protocol, file)


def _through_laptop(at: At, where: str, protocol: str, file: Path) -> Iterator[Check]:
    service = f"laptop-{protocol[:4]}"
    told = play(where, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_SERVICE_NAME=service)
    yield from _in_jaeger_and(file, at, service, told)
    wanted = len(told.of("invoke_agent"))
    yield at.same("runs in spanmetrics", wanted, until(lambda: _spanmetric(service), lambda n: n >= wanted))


def _in_jaeger_and(file: Path, at: At, service: str, told: Told) -> Iterator[Check]:
    yield delivered(at, told)
    yield at.same("spans in Jaeger", len(told.spans), len(jaeger.spans_of(service, len(told.spans))))
    yield from compared(at, told, _arrived(file, told), grain_ns=0)


def _host(folder: Path) -> Iterator[Check]:
    """Tempo is stood in for by a second Collector. What came while it was away is in the queue on disk, over a restart."""
    queue, tempo, later = folder / "queue", folder / "tempo.jsonl", folder / "later.jsonl"
    queue.mkdir()

    def host() -> Process:
        return collector(DEPLOY / "host.yaml", ready="http://127.0.0.1:13134", QUEUE=str(queue))

    with sink(tempo), host():
        told = play(HTTP, OTEL_SERVICE_NAME="one-host")
        yield from _in_jaeger_and(tempo, _at("HTTP, host"), "one-host", told)
    with host():
        told = play(HTTP, OTEL_SERVICE_NAME="restarted")
    with sink(later), host():
        found = _arrived(later, told, timeout_s=90)
    at = _at("host, restarted")
    yield at.same("spans, the store away meanwhile", len(told.spans), len(found))
    yield at.same("  each once", len(told.spans), len({s.span for s in found}))


def _spanmetric(service: str) -> int:
    """Runs that the spanmetrics connector counted, as Prometheus would scrape them."""
    with urllib.request.urlopen(METRICS, timeout=5) as response:
        lines = response.read().decode().splitlines()
    wanted = (f'service_name="{service}"', 'gen_ai_operation_name="invoke_agent"')
    counts = (line for line in lines if line.startswith("traces_span_metrics_calls_total{"))
    mine = (line for line in counts if all(label in line for label in wanted))
    return int(sum(float(line.rpartition("} ")[2].split()[0]) for line in mine))
