"""What `pip install .` brings, in an environment of its own that `make test-install` makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runspan.fake import serve
from tests.cli.saved import three_runs
from tests.support import receiver as receivers
from tests.support.children import PATIENCE_S
from tests.support.zero_code import SCRIPT, persons_environment

BIN = Path(os.environ.get("RUNSPAN_BASE", "nowhere")).absolute() / "bin"
pytestmark = pytest.mark.skipif(not BIN.is_dir(), reason="make test-install has the environment")


def runspan(home: Path, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "runspan", *map(str, arguments)],
        env=persons_environment(home, PYTHONWARNINGS="ignore::DeprecationWarning", **env),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_nothing_of_the_viewers_web_part_is_there() -> None:
    script = "import importlib.util as u; print([n for n in ('starlette', 'uvicorn', 'jinja2', 'rich') if u.find_spec(n)])"
    assert subprocess.check_output([BIN / "python", "-c", script], text=True) == "[]\n"


def test_an_app_is_traced_into_a_file_that_the_command_reads(tmp_path: Path) -> None:
    with serve("text") as server:
        ended = runspan(tmp_path, "run", "--file", "t.jsonl", SCRIPT, APP_SERVER=server.base_url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith(" completed\n")
    assert "run invoke_agent Math Tutor" in runspan(tmp_path, "tree", "t.jsonl").stdout
    assert "Math Tutor" in runspan(tmp_path, "stats", "t.jsonl").stdout


def test_traces_are_sent_and_the_doctor_sees_it(tmp_path: Path) -> None:
    with receivers.serve() as receiver:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        done = runspan(tmp_path, "replay", three_runs(tmp_path / "t.jsonl"), **env)
        assert (done.returncode, done.stdout[:18]) == (0, "12 spans delivered")
        examined = runspan(tmp_path, "doctor", **env)
    assert (examined.returncode, examined.stderr) == (0, ""), examined.stdout


def test_the_demo_draws_in_the_terminal(tmp_path: Path) -> None:
    shown = runspan(tmp_path, "demo", "--terminal")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "6 runs: 5 completed, 1 failed" in shown.stdout


@pytest.mark.parametrize("name", ["ui", "demo"])
def test_the_viewer_says_in_one_line_how_to_get_it(tmp_path: Path, name: str) -> None:
    ended = runspan(tmp_path, name, "--port", "0")
    assert (ended.returncode, ended.stdout) == (3, "")
    (line,) = ended.stderr.splitlines()
    assert "pip install '.[ui]'" in line
