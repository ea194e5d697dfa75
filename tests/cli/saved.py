"""Files of traces for the commands to read."""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from runspan.viewer.spans import Span
from runspan.viewer.web.otlp_json import _hex
from tests.viewer.runs import a_run
from tests.viewer.wire import export


def save(path: Path, *exports: tuple[Span, ...]) -> Path:
    """OTLP JSON lines, an export each."""
    requests = (ExportTraceServiceRequest.FromString(export(*spans)) for spans in exports)
    lines = (json.dumps(_hex(MessageToDict(one, use_integers_for_enums=True))) for one in requests)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def three_runs(path: Path) -> Path:
    """Weather asked twice, and a failed run of the tutor in between."""
    tutor = {"gen_ai.agent.name": "Math Tutor", "error.type": "rate_limit_exceeded"}
    return save(
        path,
        a_run(0xA1, "Rain?", "No.", tokens=(100, 10)),
        a_run(0xB2, "17 * 23?", "", at_ms=1_000, tokens=(200, 0), status="failed", more=tutor),
        a_run(0xA3, "Snow?", "Yes.", at_ms=2_000, tokens=(300, 30)),
    )
