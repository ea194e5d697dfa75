"""The real Collector on a configuration file, and what its file exporter wrote."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from backends.installs import LOGS, OTELCOL, ROOT
from backends.servers import running
from backends.told import Seen

DEPLOY = ROOT / "deploy" / "collector"
SINK = Path(__file__).with_name("sink.yaml")
SINK_HTTP, SINK_GRPC = "http://127.0.0.1:24318", "http://127.0.0.1:24317"

Process = AbstractContextManager["subprocess.Popen[bytes]"]


def collector(*configs: Path, ready: str, **env: str) -> Process:
    """Ready when it answers at the URL; env are the variables that the files read."""
    arguments = [OTELCOL.ensure(), *(f"--config={path}" for path in configs)]
    return running(arguments, log=LOGS / f"otelcol-{configs[0].stem}.log", ready=ready, env=env)


def sink(file: Path, *more: Path, **env: str) -> Process:
    """Takes OTLP at SINK_HTTP and SINK_GRPC into `file`."""
    return collector(SINK, *more, ready="http://127.0.0.1:24133", SINK_FILE=str(file), **env)


def validated(config: Path) -> str:
    """What the Collector's own `validate` says; empty: it is in order."""
    command = [OTELCOL.ensure(), "validate", f"--config={config}"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "SINK_FILE": "sink.jsonl"}
    )
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()


def spans_in(file: Path) -> list[Seen]:
    """The spans in OTLP JSON lines; one that was written twice is there twice."""
    return [
        _seen(span)
        for line in (file.read_text("utf-8").splitlines() if file.exists() else ())
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
