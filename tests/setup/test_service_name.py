"""What the service is called: as an option or a variable says, else as the program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import runspan
from tests.support.children import PATIENCE_S, environment

TRACED = "with runspan.span('work'): pass"
APP = f"import runspan; runspan.instrument(); \n{TRACED}"
OPTION = f"import runspan; runspan.instrument(service_name='named'); \n{TRACED}"
RUN = (sys.executable, "-m", "runspan.cli", "run")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "pkg" / "sub").mkdir(parents=True)
    (tmp_path / "folder").mkdir()
    for name in ("app.py", "server", "pkg/mod.py", "pkg/__main__.py", "folder/__main__.py"):
        (tmp_path / name).write_text(APP)
    (tmp_path / "option.py").write_text(OPTION)
    (tmp_path / "plain.py").write_text(f"import runspan\n{TRACED}")
    for name in ("pkg/__init__.py", "pkg/sub/__init__.py"):
        (tmp_path / name).touch()
    (tmp_path / "pkg/sub/plain.py").write_text(f"import runspan\n{TRACED}")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "variables", "expected"),
    [
        ((sys.executable, "app.py"), {}, "app"),
        ((sys.executable, "./server"), {}, "server"),  # as gunicorn and uvicorn are
        ((sys.executable, "-m", "pkg.mod"), {}, "pkg.mod"),
        ((sys.executable, "-m", "pkg"), {}, "pkg"),
        ((sys.executable, "folder"), {}, "folder"),
        ((sys.executable, "-c", APP), {}, "python"),
        ((*RUN, "plain.py"), {}, "plain"),
        ((*RUN, "-m", "pkg.sub.plain"), {}, "pkg.sub.plain"),
        ((*RUN, "--service-name", "named", "plain.py"), {}, "named"),
        ((sys.executable, "option.py"), {"OTEL_SERVICE_NAME": "other"}, "named"),
        ((sys.executable, "app.py"), {"OTEL_SERVICE_NAME": "named"}, "named"),
        ((sys.executable, "app.py"), {"OTEL_RESOURCE_ATTRIBUTES": "service.name=named"}, "named"),
        ((*RUN, "plain.py"), {"OTEL_RESOURCE_ATTRIBUTES": "service.name=named"}, "named"),
    ],
)
def test_a_service_that_nobody_names_is_called_as_its_program(
    programs: Path, command: tuple[str, ...], variables: dict[str, str], expected: str
) -> None:
    env = environment(None, None, RUNSPAN_FILE="traces.jsonl", **variables)
    done = subprocess.run(
        command, env=env, cwd=programs, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert done.stderr == ""
    (batch,) = json.loads((programs / "traces.jsonl").read_text())["resourceSpans"]
    named = {one["key"]: one["value"].get("stringValue") for one in batch["resource"]["attributes"]}
    assert named["service.name"] == expected


def test_an_apps_own_provider_keeps_its_name() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    handle = runspan.instrument(tracer_provider=provider)
    with runspan.span("work"):
        pass
    handle.uninstrument()
    (span,) = exporter.get_finished_spans()
    assert span.resource == provider.resource
    assert str(span.resource.attributes["service.name"]).startswith("unknown_service")
