"""Prometheus: our metrics and the Collector's span metrics by scrape, and every query of the dashboard after a seeded load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from . import jaeger
from .collector import BEHIND, HTTP
from .installs import LOGS, PROMETHEUS, ROOT
from .otelcol import DEPLOY, collector
from .report import At, Check
from .servers import ask, running, until
from .told import environment

PAGE = "http://127.0.0.1:9090"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "runspan.json"
SECONDS = 30
SCRAPE = """
global: {scrape_interval: 1s}
scrape_configs:
  - {job_name: runspan, honor_labels: true, static_configs: [{targets: ["127.0.0.1:8889"]}]}
"""
# What Grafana puts in: a range that the load fills, and "All" of each variable.
FILLED = {"$__rate_interval": "20s", "$service": ".*", "$model": ".*", "$assistant": ".*"}


@contextmanager
def scraping(folder: Path) -> Iterator[None]:
    config = folder / "prometheus.yaml"
    config.write_text(SCRAPE, "utf-8")
    arguments = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--web.listen-address=127.0.0.1:9090",
    ]
    with running([PROMETHEUS.ensure(), *arguments], log=LOGS / "prometheus.log", ready=f"{PAGE}/-/ready"):
        yield


def checks() -> Iterator[Check]:
    at = At("Prometheus", _version(), "scrape of the Collector")
    with TemporaryDirectory() as name, jaeger.jaeger(*BEHIND):
        env = {"TRACES_FILE": f"{name}/traces.jsonl"}
        with (
            collector(DEPLOY / "laptop.yaml", ready="http://127.0.0.1:8889/metrics", **env),
            scraping(Path(name)),
        ):
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "backends.seeded", str(SECONDS)],
                env=environment(
                    HTTP,
                    OTEL_METRICS_EXPORTER="otlp",
                    OTEL_METRIC_EXPORT_INTERVAL="1000",
                    OTEL_BSP_SCHEDULE_DELAY="1000",
                ),
                stdout=subprocess.PIPE,
                check=True,
                timeout=300,
            )
            made = json.loads(done.stdout)
            yield from _asked(at, made)


def _version() -> str:
    said = subprocess.run([PROMETHEUS.ensure(), "--version"], capture_output=True, text=True, check=True)
    return (said.stdout + said.stderr).split()[2].partition("+")[0]


def _asked(at: At, made: dict[str, Any]) -> Iterator[Check]:
    counted = until(lambda: _sum("sum(runspan_runs_total)"), lambda n: n >= made["runs"])
    yield at.same("runs, by our counter", made["runs"], counted)
    failed = _sum('sum(runspan_runs_total{runspan_run_status="failed"})')
    yield at.same("  of them failed", made["failed"], failed)
    spans = 'sum(traces_span_metrics_calls_total{gen_ai_operation_name="invoke_agent"})'
    yield at.same(
        "runs, by spanmetrics", made["runs"], until(lambda: _sum(spans), lambda n: n >= made["runs"])
    )
    yield at.same("nothing dropped", 0, _sum("sum(runspan_dropped_total)"))
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            found = _series(target["expr"])
            yield at.holds(
                f"panel: {panel['title']}", bool(found), "data", f"{len(found)} series" if found else "none"
            )


def _series(expr: str) -> list[Any]:
    """At any moment of the load: its last minute, every five seconds."""
    for name, value in FILLED.items():
        expr = expr.replace(name, value)
    now = float(ask(f"{PAGE}/api/v1/query?query=time()")["data"]["result"][1])
    where = f"query={quote(expr)}&start={now - SECONDS - 30}&end={now}&step=5"
    found = ask(f"{PAGE}/api/v1/query_range?{where}")["data"]["result"]
    return [s for s in found if any(value != "NaN" for _, value in s["values"])]


def _sum(expr: str) -> int:
    result = ask(f"{PAGE}/api/v1/query?query={quote(expr)}")["data"]["result"]
    return int(float(result[0]["value"][1])) if result else 0
