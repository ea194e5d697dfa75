"""`opentelemetry-instrument python app.py`: no line of code. Without those packages nothing breaks."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import runspan
from runspan.fake import serve
from runspan.zero_code import ZeroCode
from tests.support import receiver as receivers
from tests.support import zero_code
from tests.support.children import PATIENCE_S, environment, run
from tests.support.otlp import generations, runs
from tests.support.own_network import own_network

with_launcher = pytest.mark.skipif(not zero_code.LAUNCHER.exists(), reason="needs opentelemetry-distro")


def launched(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [zero_code.LAUNCHER, *arguments, sys.executable, zero_code.SCRIPT]
    env = {**env, "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_S)


def as_typed(folder: Path, receiver: str) -> dict[str, Any]:
    """What a person types, without a variable of OpenTelemetry's or ours."""
    done = own_network(["-m", "tests.support.zero_code", str(folder), receiver])
    if done.returncode == zero_code.BUSY:
        pytest.skip("4317 or 4318 is taken, and there is no network of our own")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["code"], told["out"].split()[1:]) == (0, ["completed"]), told["err"]
    told["err"] = [
        line for line in told["err"].splitlines() if "Deprecat" not in line and not line.startswith("  ")
    ]
    return told


def test_the_entry_point_is_registered_under_a_name_of_its_own() -> None:
    """`openai` is taken by four packages."""
    points = importlib.metadata.entry_points(group="opentelemetry_instrumentor", name="openai_assistants")
    (ours,) = [point for point in points if point.value.startswith("runspan")]
    assert ours.load() is ZeroCode


def test_the_instrumentor_takes_what_the_launcher_passes() -> None:
    """It calls `entry_point.load()().instrument(skip_dep_check=True)`, and perhaps more one day."""
    instrumentor = ZeroCode()
    instrumentor.instrument(skip_dep_check=True, tracer_provider=None, anything=1)
    try:
        assert runspan.current_handle() is not None
        instrumentor.instrument()
    finally:
        instrumentor.uninstrument(anything=1)
    assert runspan.current_handle() is None


def test_without_the_launchers_packages_nothing_is_missing() -> None:
    script = """
        import sys
        class Hidden:
            def find_spec(self, name, path=None, target=None):
                if name.startswith(("opentelemetry.instrumentation", "opentelemetry.distro")):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Hidden())
        from importlib.metadata import entry_points
        (point,) = entry_points(group="opentelemetry_instrumentor", name="openai_assistants")
        instrumentor = point.load()()
        instrumentor.instrument()
        instrumentor.uninstrument()
        print("fine")
    """
    assert run(script).check() == "fine\n"


@with_launcher
def test_as_a_person_types_it_the_viewer_has_the_trace(tmp_path: Path) -> None:
    """Over gRPC, which the launcher's distribution chooses, with its metrics beside it."""
    told = as_typed(tmp_path, "viewer")
    assert told["err"] == []
    (run,) = [span for span in told["spans"] if span["kind"] == "run"]
    (generation,) = [span for span in told["spans"] if span["kind"] == "llm"]
    assert run["attributes"]["runspan.run.id"] == told["out"].split()[0]
    assert run["attributes"]["runspan.run.status"] == "completed"
    assert generation["parent_id"] == run["span_id"]


@with_launcher
def test_as_a_person_types_it_a_receiver_of_traces_alone_has_the_trace(tmp_path: Path) -> None:
    """As Jaeger, which the launcher's metrics and logs cost a line each."""
    told = as_typed(tmp_path, "traces_only")
    assert sorted(told["spans"]) == ["chat gpt-4o", "invoke_agent Math Tutor"]
    assert "traces" not in "\n".join(told["err"])


@with_launcher
def test_where_nobody_listens_the_app_ends_at_once_and_the_cure_is_said(tmp_path: Path) -> None:
    """The SDK tries for 10 s, says "Failed to export traces", and goes on to the metrics."""
    told = as_typed(tmp_path, "nobody")
    assert "Failed to export" not in "\n".join(told["err"])
    (line,) = [line for line in told["err"] if line.startswith("runspan: ")]
    assert "nothing listens at localhost:4317" in line
    assert "Start `runspan ui`" in line


@with_launcher
@pytest.mark.parametrize("arguments", [(), ("--traces_exporter", "otlp")])
def test_an_unchanged_script_is_traced(arguments: tuple[str, ...]) -> None:
    with serve("text") as server, receivers.serve() as receiver:
        more = {"OTEL_SERVICE_NAME": "tutor", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        env = environment(server, receiver, OTEL_LOGS_EXPORTER="none", **more)
        ended = launched(env, *arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        run_id, status = ended.stdout.split()
        (span,) = runs(receiver)
        assert (span.attributes["runspan.run.id"], status) == (run_id, "completed")
        assert span.attributes["runspan.run.status"] == "completed"
        assert span.resource["service.name"] == "tutor"
        (generation,) = generations(receiver)
        assert generation.parent_id == span.span_id


@with_launcher
def test_the_launchers_switch_turns_us_off() -> None:
    with serve("text") as server, receivers.serve() as receiver:
        env = environment(
            server,
            receiver,
            OTEL_LOGS_EXPORTER="none",
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="openai_assistants",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
        ended = launched(env)
        assert ended.stdout.endswith("completed\n"), ended.stderr
        assert runs(receiver) == []


@with_launcher
def test_a_wrong_setting_leaves_the_script_running_and_says_why() -> None:
    with serve("text") as server, receivers.serve() as receiver:
        env = environment(server, receiver, OTEL_LOGS_EXPORTER="none", RUNSPAN_CALLS="some")
        ended = launched({**env, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
        assert (ended.returncode, ended.stdout.split()[1:]) == (0, ["completed"]), ended.stderr
        (line,) = ended.stderr.splitlines()
        assert "RUNSPAN_CALLS='some'" in line
