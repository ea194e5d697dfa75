"""`runspan import` and `runspan export` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runspan.viewer import RunFilter, Store
from tests.importing.archives import objects, thread
from tests.support import receiver as receivers

from .conftest import Command, spans_of


def test_an_archive_is_in_the_viewer_and_a_second_import_changes_nothing(
    command: Command, archive: Path
) -> None:
    for _ in range(2):
        ended = command("import", archive)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "Found:     2 conversations, 6 messages, 3 runs, 3 steps" in ended.stdout
        assert "3 runs with 9 spans imported into the viewer: runspan ui" in ended.stdout
        with Store(command.db, is_read_only=True) as store:
            runs = store.runs(RunFilter(is_ascending=True))
            assert [run.thread for run in runs] == ["thread_1", "thread_1", "thread_2"]
            assert store.count_spans() == 9
    assert "run_thread_2_0" in command("tree", "--thread", "thread_2").stdout


def test_a_file_can_be_added_to(command: Command, archive: Path) -> None:
    for _ in range(2):
        assert command("import", archive, "--to", "traces.jsonl").returncode == 0
        assert len(spans_of(command.home / "traces.jsonl")) == 9


def test_standard_input(command: Command) -> None:
    lines = "".join(json.dumps(one) + "\n" for one in objects(thread("thread_1")))
    ended = command("import", "-", "--to", "traces.jsonl", "--json", stdin=lines)
    assert json.loads(ended.stdout)["runs"] == 1
    assert len(spans_of(command.home / "traces.jsonl")) == 3


def test_otlp_goes_where_the_variables_of_an_app_say(command: Command, archive: Path) -> None:
    with receivers.serve() as receiver:
        ended = command("import", archive, "--to", "otlp", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        assert (ended.returncode, len(receiver.spans)) == (0, 9)
        assert {span.resource["service.name"] for span in receiver.spans} == {"imported"}


def test_a_backend_by_its_own_variables(command: Command, archive: Path) -> None:
    with receivers.serve() as receiver:
        where = {"PHOENIX_COLLECTOR_ENDPOINT": receiver.endpoint, "OTEL_SERVICE_NAME": "history"}
        assert command("import", archive, "--backend", "phoenix", **where).returncode == 0
        assert {span.resource["service.name"] for span in receiver.spans} == {"history"}


def test_nobody_there_is_said_and_can_be_gone_on_with(command: Command, archive: Path) -> None:
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"}
    ended = command("import", archive, "--to", "otlp", **where)
    assert ended.returncode == 1
    assert "Start the same command again to go on from here." in ended.stderr
    (state,) = (command.home / "runspan" / "imports").glob("*.db")
    assert oct(state.stat().st_mode & 0o777) == "0o600"


def test_a_dry_run_delivers_nothing_and_keeps_nothing(command: Command, archive: Path) -> None:
    (archive / "notes.txt").write_text("hello")
    ended = command("import", archive, "--dry-run")
    assert (ended.returncode, command.db.exists()) == (1, False)
    assert "3 runs with 9 spans would be imported" in ended.stdout
    assert ended.stderr.splitlines() == [
        f"{archive}/notes.txt:1: neither JSON nor JSON lines",
        "Error: 1 left out",
    ]
    assert not (command.home / "runspan").exists()


def test_runs_can_be_chosen(command: Command, archive: Path) -> None:
    day = "2023-11-20"  # between the two threads
    ended = command("import", archive, "--since", day, "--to", "since.jsonl", "--json")
    assert (json.loads(ended.stdout)["runs"], json.loads(ended.stdout)["skipped"]) == (1, 2)
    ended = command(
        "import", archive, "--thread", "thread_1", "--to", "thread.jsonl", "--no-content", "--json"
    )
    assert json.loads(ended.stdout)["runs"] == 2
    assert json.loads(ended.stdout)["skipped"] == 1
    assert "Question" not in (command.home / "thread.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "can't find nowhere"),
        (["x" * 300], "File name too long"),
        (["export", ""], "a PATH is empty"),
        (["export", "--since", "9" * 400 + "d"], "is no duration"),
        ([], "Missing argument"),
        (["export", "--to", "otlp", "--db", "x.db"], "--db is for --to viewer"),
        (["export", "--since", "yesterday"], "write 2026-01-31, or 30d"),
        (["export", "--backend", "langfuse"], "needs LANGFUSE_PUBLIC_KEY"),
        (["export", "--to", "notes.md"], "no file of traces"),
        (["export", "--to", "nowhere/traces.jsonl"], "can't be written to"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    command: Command, archive: Path, arguments: list[str], said: str
) -> None:
    (command.home / "notes.md").write_text("# Notes")
    ended = command("import", *arguments)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert said in ended.stderr
