"""`runspan tree`: from files and from the viewer's store, chosen by runs, harmless to the terminal."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runspan.cli.group import cli
from runspan.viewer import Store, load
from tests.viewer import hand_made
from tests.viewer.runs import a_run
from tests.viewer.wire import export

from .conftest import Command
from .saved import save, three_runs

NEWEST, FAILED, OLDEST = f"{0xA3:032x}", f"{0xB2:032x}", f"{0xA1:032x}"


def tree(*arguments: object, **env: str) -> Result:
    return CliRunner().invoke(cli, ["tree", *map(str, arguments)], env={"COLUMNS": "90", **env})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return three_runs(tmp_path / "traces.jsonl")


def traces(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return re.findall(r"^trace ([0-9a-f]{32})", result.output, re.MULTILINE)


def test_a_file_is_drawn_the_newest_last(file: Path) -> None:
    drawn = tree(file)
    assert traces(drawn) == [OLDEST, FAILED, NEWEST]
    assert "run invoke_agent Weather" in drawn.output
    assert "3 traces · 12 spans" in drawn.output


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--status", "failed"], [FAILED]),
        (["--assistant", "TUTOR"], [FAILED]),
        (["--model", "gpt-4o-2024"], [OLDEST, FAILED, NEWEST]),
        (["--errors"], [FAILED]),
        (["--thread", "thread_1", "--status", "completed"], [OLDEST, NEWEST]),
        (["--min-duration", "1700ms"], [OLDEST, FAILED, NEWEST]),
        (["--last", "1"], [NEWEST]),
        (["--last", "1", "--assistant", "tutor"], [FAILED]),
    ],
)
def test_options_choose_runs(file: Path, options: list[str], expected: list[str]) -> None:
    assert traces(tree(file, *options)) == expected


def test_errors_are_bad_ends_of_every_kind(tmp_path: Path) -> None:
    """As on the viewer's pages: an unfinished run has no error, and is one of them."""
    left = {"runspan.run.status": "queued", "runspan.run.unfinished": "shutdown"}
    expired = {"runspan.run.status": "expired"}
    file = save(tmp_path / "ends.jsonl", a_run(1), a_run(2, more=left), a_run(3, more=expired))
    assert traces(tree(file, "--errors")) == [f"{2:032x}", f"{3:032x}"]
    assert traces(tree(file, "--status", "unfinished")) == [f"{2:032x}"]
    assert traces(tree(file, "--status", "queued")) == [f"{2:032x}"]


THERE = "There is: completed, failed"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--status", "expired"], f"no run has --status 'expired'. {THERE}"),
        (["--status", "faild"], f"no run has --status 'faild'. Did you mean failed? {THERE}"),
        (["--status", "Completd"], f"no run has --status 'Completd'. Did you mean completed? {THERE}"),
        (["--assistant", "Tutr"], "no run has --assistant 'Tutr'. There is: Weather, Math Tutor"),
        (["--session", "s"], "no run has --session 's'. There is: none"),
        (["--min-duration", "1h"], "no run took 3600 s or longer; the longest took 1.75 s"),
        (["--since", "1s"], "no trace in {file} matches all of the options"),
        (["--status", "completed", "--assistant", "tutor"], "no trace in {file} matches all of the options"),
    ],
)
def test_where_none_matches_it_says_why_and_what_is_there(file: Path, options: list[str], said: str) -> None:
    drawn = tree(file, *options)
    assert (drawn.exit_code, drawn.stdout, drawn.stderr) == (1, "", f"Error: {said.format(file=file)}\n")


@pytest.mark.parametrize("wrong", ["soon", "-1", "1e400", "2 weeks"])
def test_a_time_that_is_none_is_refused(file: Path, wrong: str) -> None:
    drawn = tree(file, f"--min-duration={wrong}")
    assert drawn.exit_code == 2
    assert "write 500ms, 2s, 3m, 1h or 7d" in drawn.stderr


def test_what_is_left_out_is_told(file: Path) -> None:
    assert tree(file, "--last", "2").stderr == "1 older not shown: --last 3 shows all.\n"


def test_ids_are_looked_up_in_the_store(file: Path, tmp_path: Path) -> None:
    db = tmp_path / "traces.db"
    with Store(db) as store:
        load(store, file)
    assert traces(tree("--db", db)) == [OLDEST, FAILED, NEWEST]
    assert traces(tree(NEWEST, "--db", db)) == [NEWEST]
    assert traces(tree(NEWEST.upper(), "--db", db)) == [NEWEST]
    assert traces(tree(f"run_{0xB2}", "--db", db)) == [FAILED]
    assert traces(tree(db)) == [OLDEST, FAILED, NEWEST]
    missing = tree("f" * 32, "--db", db)
    assert (missing.exit_code, missing.stdout) == (1, "")
    several = tree("0000", "--db", db)
    assert several.exit_code == 2
    assert "begins more than one trace" in several.stderr


def test_the_usual_store_is_that_of_the_viewer(command: Command, file: Path) -> None:
    none = command("tree")
    assert (none.returncode, none.stdout) == (2, "")
    assert "Start `runspan ui`" in none.stderr
    command.db.parent.mkdir()
    with Store(command.db) as store:
        load(store, file)
    assert f"trace {NEWEST}" in command("tree", "--last", "1").stdout


def test_standard_input_is_read(command: Command, file: Path) -> None:
    drawn = command("tree", "-", "--json", stdin=file.read_text())
    assert [json.loads(one)["trace_id"] for one in drawn.stdout.splitlines()] == [OLDEST, FAILED, NEWEST]


def test_json_is_one_trace_a_line_with_depths(file: Path) -> None:
    (line,) = tree(file, "--json", "--last", "1").stdout.splitlines()
    trace = json.loads(line)
    assert (trace["trace_id"], trace["duration_s"]) == (NEWEST, 2.0)
    assert [(s["depth"], s["kind"], s["name"]) for s in trace["spans"]] == [
        (0, "chain", "answer"),
        (1, "run", "invoke_agent Weather"),
        (2, "llm", "chat gpt-4o"),
        (2, "tool", "execute_tool get_weather"),
    ]
    assert trace["spans"][1]["attributes"]["runspan.run.status"] == "completed"


@pytest.mark.parametrize(
    "content", ["no OTLP\n", '{"resourceSpans": 1}\n', '{"a": 1}\n{"resourceSpans": [{\n', "[1]"]
)
def test_what_is_no_file_of_traces_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd"
    path.write_text(content)
    drawn = tree(path)
    assert (drawn.exit_code, drawn.stdout) == (2, "")
    assert str(path) in drawn.stderr


def test_a_file_without_spans_and_a_foreign_database_are_told(tmp_path: Path) -> None:
    empty, foreign = tmp_path / "empty.jsonl", tmp_path / "foreign.db"
    empty.write_text("{}\n")
    assert (tree(empty).exit_code, tree(empty).stderr) == (1, f"Error: there is no trace in {empty}\n")
    foreign.write_bytes(b"SQLite format 3\x00" + b"x" * 4_000)
    assert tree(foreign).exit_code == 2
    assert f"{foreign} is not a runspan store" in tree(foreign).stderr


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


FOREIGN = "CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')"


@pytest.mark.parametrize(
    "name", ["foreign.sqlite", "foreign_wal.sqlite", "empty.sqlite", "ours.db", "odd", "traces.jsonl"]
)
@pytest.mark.parametrize("command", ["tree", "stats"])
@pytest.mark.parametrize("by", ["name", "--db"])
def test_reading_changes_nothing(tmp_path: Path, name: str, command: str, by: str) -> None:
    """Neither a file, nor its journal mode, nor what stands beside it; whatever the file is."""
    three_runs(tmp_path / "traces.jsonl")
    (tmp_path / "odd").write_bytes(b"\x00nonsense" * 100)
    (tmp_path / "empty.sqlite").touch()
    for foreign in ("foreign.sqlite", "foreign_wal.sqlite"):
        with closing(sqlite3.connect(tmp_path / foreign)) as db:
            db.executescript(("PRAGMA journal_mode = WAL;" if "wal" in foreign else "") + FOREIGN)
    with Store(tmp_path / "ours.db") as store:
        load(store, tmp_path / "traces.jsonl")
    before = everything(tmp_path)
    arguments = [command, *(["--db"] if by == "--db" else []), str(tmp_path / name)]
    done = CliRunner().invoke(cli, arguments, env={"COLUMNS": "90"})
    assert everything(tmp_path) == before
    is_fine = name == "ours.db" or (name == "traces.jsonl" and by == "name")
    assert (done.exit_code == 0) is is_fine, done.output
    if not is_fine:
        (line,) = done.stderr.splitlines()
        assert line.startswith("Error: ")
        assert name in line or "there is no" in line


def test_a_store_is_read_beside_its_writer_and_after_a_writer_that_was_killed(tmp_path: Path) -> None:
    file = three_runs(tmp_path / "traces.jsonl")
    db = tmp_path / "ours.db"
    with Store(db) as store:
        load(store, file)
        assert db.with_name("ours.db-wal").exists()
        assert traces(tree("--db", db)) == [OLDEST, FAILED, NEWEST]
        left = {path.name: path.read_bytes() for path in tmp_path.glob("ours.db*")}
    killed = tmp_path / "killed"
    killed.mkdir()
    for name, content in left.items():
        (killed / name).write_bytes(content)
    assert traces(tree(killed / "ours.db")) == [OLDEST, FAILED, NEWEST]


@pytest.mark.parametrize("command", ["tree", "stats"])
@pytest.mark.parametrize("arguments", [("--db", "."), ("--db", ""), (".",)])
def test_a_folder_is_named(command: str, arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, [command, *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: . is a folder")


def test_files_are_read_packed_marked_and_in_utf_16(file: Path, tmp_path: Path) -> None:
    text = file.read_text()
    forms = {
        "gz": gzip.compress(text.encode()),
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "u16": text.encode("utf-16"),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        assert traces(tree(tmp_path / name)) == [OLDEST, FAILED, NEWEST]
    (tmp_path / "cut.gz").write_bytes(forms["gz"][:300])
    cut = tree(tmp_path / "cut.gz")
    assert (cut.exit_code, cut.stdout, len(cut.stderr.splitlines())) == (2, "", 1)
    assert "ends in the middle of its gzip data; copy it again" in cut.stderr


def test_a_file_that_is_one_half_written_line_says_so(tmp_path: Path) -> None:
    path = tmp_path / "half.jsonl"
    path.write_text('{"resourceSpans": [{"scopeSp')
    drawn = tree(path)
    assert drawn.exit_code == 1
    assert drawn.stderr == (
        f"{path}, line 1 is half-written and was left out.\nError: there is no trace in {path}\n"
    )


def test_a_half_written_line_is_told_and_the_others_are_drawn(file: Path) -> None:
    with file.open("a") as more:
        more.write('{"resourceSpans": [{"sco')
    drawn = tree(file)
    assert traces(drawn) == [OLDEST, FAILED, NEWEST]
    assert drawn.stderr == f"{file}, line 4 is half-written and was left out.\n"


HARMLESS = re.compile("[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\ufeff]*")


def sendable(value: Any) -> Any:
    """Protobuf takes no lone surrogates."""
    if isinstance(value, list):
        return [sendable(item) for item in value]
    return value.replace("\ud800", "") if isinstance(value, str) else value


@pytest.mark.parametrize("width", ["20", "40", "70", "200"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_foreign_texts_cannot_steer_the_terminal(tmp_path: Path, width: str, options: list[str]) -> None:
    clean = [
        replace(
            span,
            name=sendable(span.name),
            status_message=sendable(span.status_message),
            attributes={key: sendable(value) for key, value in span.attributes.items()},
            resource={key: sendable(value) for key, value in span.resource.items()},
        )
        for span in hand_made.HOSTILE
    ]
    path = tmp_path / "hostile.pb"
    path.write_bytes(export(*clean))
    drawn = tree(path, *options, COLUMNS=width)
    assert drawn.exit_code == 0
    assert HARMLESS.fullmatch(drawn.output)


def test_colour_is_for_terminals_only(command: Command, file: Path) -> None:
    assert "\x1b" not in command("tree", file).stdout
    forced = command("tree", file, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[1;35m" in forced
    plain = command("tree", file, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").stdout
    assert set(re.findall(r"\x1b\[([0-9;]*)m", plain)) <= {"0", "1", "2"}


def test_save_writes_what_the_commands_read(tmp_path: Path) -> None:
    assert len(save(tmp_path / "x", hand_made.MATH_TUTOR, hand_made.ENDINGS).read_text().splitlines()) == 2
