"""What stops `runspan import`, and what makes it pointless: one line that says why, an exit code, and no traceback."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.importing.archives import assistant, objects, thread
from tests.importing.exporting import write, write_lines
from tests.support.children import PATIENCE_S

from .conftest import Command

needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="no bash")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_lines(tmp_path / "many.jsonl", [one for n in range(150) for one in objects(thread(f"thread_{n}"))])
    return tmp_path / "many.jsonl"


def in_bash(command: Command, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`"$@"` in the script is the command."""
    started = [sys.executable, "-m", "runspan.cli", "import", *map(str, arguments)]
    return subprocess.run(
        ["bash", "-c", script, "bash", *started],
        env=command.env(),
        cwd=command.home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


FULL = 'ulimit -f 64; exec "$@"'  # 64 KB a file: SQLite and Python see what a full disk is like


@needs_bash
@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (FULL, ["many.jsonl", "--to", "traces.jsonl"]),
        (FULL, ["many.jsonl", "--dry-run"]),
        (FULL, ["many.jsonl", "--db", "store.db"]),
        (f"{FULL} < many.jsonl", ["-", "--dry-run"]),
        ('exec "$@" <&-', ["-", "--dry-run"]),
        ('exec "$@" > /dev/full', ["many.jsonl", "--dry-run"]),
    ],
    ids=[
        "state",
        "temporary file",
        "store",
        "copy of standard input",
        "closed standard input",
        "standard output",
    ],
)
def test_what_the_system_refuses_is_one_line(
    command: Command, archive: Path, script: str, arguments: list[str]
) -> None:
    if "/dev/full" in script and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    ended = in_bash(command, script, *arguments)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert ended.stderr.startswith("Error: ")


@needs_bash
def test_an_import_goes_on_where_there_is_room_again(command: Command, archive: Path) -> None:
    assert in_bash(command, FULL, archive, "--to", "traces.jsonl", "--json").returncode == 2
    ended = command("import", archive, "--to", "traces.jsonl", "--json")
    assert json.loads(ended.stdout)["runs"] == 150


@needs_bash
def test_a_pipe_is_an_archive_too(command: Command, archive: Path) -> None:
    """As `<(zcat ...)` gives it."""
    ended = in_bash(command, '"$@" <(cat many.jsonl)', "--to", "traces.jsonl", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["runs"]) == (0, 150)
    assert not list((command.home / "runspan").rglob("*.db"))  # a pipe can't be gone on with


def test_faults_of_standard_input_name_it(command: Command) -> None:
    ended = command(
        "import", "-", "-", "--dry-run", stdin='{"object": "thread", "id": "thread_1"}\n{broken\n'
    )
    assert ended.stderr.startswith("standard input:2: broken JSON")
    assert ended.stderr.endswith("\nError: 1 left out\n")


def test_an_import_without_any_run_says_so(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "agents.json", assistant())
    write(tmp_path / "thread.json", thread("thread_1"))
    for arguments, where in (
        (["empty"], "empty"),
        (["agents.json"], "agents.json"),
        (["thread.json", "--thread", "thread_9"], "thread.json"),
    ):
        ended = command("import", *arguments, "--to", "traces.jsonl")
        assert ended.returncode == 1
        assert ended.stderr.startswith("Error: there is no run")
        assert ended.stderr.endswith(f" in {where}\n")
    assert not (command.home / "traces.jsonl").exists()


def test_what_turns_tracing_off_turns_no_other_option_off(command: Command, archive: Path) -> None:
    off = {"RUNSPAN_ENABLED": "false", "RUNSPAN_CAPTURE_CONTENT": "false"}
    assert command("import", archive, "--to", "traces.jsonl", **off).returncode == 0
    assert "Question" not in (command.home / "traces.jsonl").read_text()
    ended = command("import", archive, "--to", "none.jsonl", OTEL_SDK_DISABLED="true")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "OTEL_SDK_DISABLED" in ended.stderr


@contextmanager
def answering(status: int) -> Iterator[tuple[str, list[str]]]:
    """A receiver that answers nothing else; its address, and the paths that were asked for."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_receiver_that_says_no_is_asked_once(command: Command, tmp_path: Path, status: int) -> None:
    write(tmp_path / "thread.json", thread("thread_1"))
    with answering(status) as (address, seen):
        ended = command("import", "thread.json", "--to", "otlp", OTEL_EXPORTER_OTLP_ENDPOINT=address)
    assert (ended.returncode, len(seen)) == (1, 1)
    assert f"It answered {status}" in ended.stderr
