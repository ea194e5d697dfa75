"""The real Collector on a configuration file, and what its file exporter wrote."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .installs import LOGS, OTELCOL, ROOT
from .servers import running
from .told import Seen

DEPLOY = ROOT / "deploy" / "collector"
SINK = Path(__file__).with_name("sink.yaml")


@contextmanager
def collector(*configs: Path, ready: str | None, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Ready when it answers at the URL; env are the variables that the files read."""
    arguments = [OTELCOL.ensure(), *(f"--config={path}" for path in configs)]
    with running(arguments, log=LOGS / f"otelcol-{configs[0].stem}.log", ready=ready, env=env) as process:
        yield process


@contextmanager
def sink(file: Path, *more: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Takes OTLP on 127.0.0.1:24317 (gRPC) and :24318 (HTTP) into `file`."""
    health = env.get("SINK_HEALTH", "127.0.0.1:24133")
    with collector(SINK, *more, ready=f"http://{health}", SINK_FILE=str(file), **env) as process:
        yield process


def validated(config: Path) -> str:
    """What the Collector's own `validate` says; empty: it is in order."""
    done = subprocess.run(
        [OTELCOL.ensure(), "validate", f"--config={config}"],
        capture_output=True,
        text=True,
        env={**os.environ, "SINK_FILE": "sink.jsonl"},
    )
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()


def spans_in(*files: Path) -> list[Seen]:
    """The spans in OTLP JSON lines; one that was written twice is there twice."""
    return [
        _seen(span)
        for file in files
        if file.exists()
        for line in file.read_text("utf-8").splitlines()
        for of_resource in json.loads(line).get("resourceSpans", ())
        for of_scope in of_resource["scopeSpans"]
        for span in of_scope["spans"]
    ]


def _seen(span: dict[str, Any]) -> Seen:
    return Seen(
        span["traceId"],
        span["spanId"],
        span.get("parentSpanId") or None,
        span["name"],
        int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]),
        span.get("status", {}).get("code") == 2,
        {a["key"]: _value(a["value"]) for a in span.get("attributes", ())},
    )


def _value(value: dict[str, Any]) -> Any:
    ((kind, inner),) = value.items() if value else (("", None),)
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [_value(v) for v in inner.get("values", ())]
    return inner
