"""`opentelemetry-instrument python app.py`: no line of code. Without those packages nothing breaks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import runspan
from runspan.fake import serve
from runspan.setup import ZeroCode
from runspan.viewer import receiver as receivers
from tests.support.children import PATIENCE_S, environment, run
from tests.support.otlp import generations, runs

SCRIPT = Path(__file__).parents[1] / "support" / "tutor_script.py"
with_launcher = pytest.mark.skipif(
    not importlib.util.find_spec("opentelemetry.instrumentation")
    or not importlib.util.find_spec("opentelemetry.distro"),
    reason="needs opentelemetry-distro",
)


def launched(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from opentelemetry.instrumentation.auto_instrumentation import run; run()",  # what the script is
        *arguments,
        sys.executable,
        str(SCRIPT),
    ]
    env = {**env, "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_S)


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
