"""Killed half way and started again: nothing is there twice, nothing is missing. And a second import changes nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from runspan.importing import Importer, NotDeliveredError
from runspan.viewer import RunFilter, Store
from tests.importing.archives import A, objects, thread
from tests.importing.comparing import imported
from tests.importing.exporting import write, write_lines
from tests.support.children import PATIENCE_S, environment

THREADS, RUNS_EACH = 30, 20
RUNS = THREADS * RUNS_EACH
EXPECTED_BYTES = [0]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    exports = [thread(f"thread_{n:03d}", RUNS_EACH, A + n) for n in range(THREADS)]
    for part in range(3):
        rows = [one for export in exports[part::3] for one in objects(export)]
        write_lines(folder / f"part{part}.jsonl", rows)
    return folder


def command(home: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "runspan.cli", "import", *map(str, arguments)]


def env(home: Path) -> dict[str, str]:
    return environment(None, None, HOME=str(home), XDG_DATA_HOME=str(home))


def killed(home: Path, *arguments: str | Path, when: Any) -> bool:
    """Start it, and kill it as soon as `when()`; whether that was before its end."""
    child = subprocess.Popen(
        command(home, *arguments), env=env(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + PATIENCE_S
    while child.poll() is None and not when() and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=PATIENCE_S)
    return child.returncode == -signal.SIGKILL


def whole(home: Path, *arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        command(home, *arguments, "--json"), env=env(home), capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def spans_in(path: Path) -> Counter[str]:
    """Whole spans, as JSON."""
    lines = path.read_text("utf-8").splitlines()
    return Counter(
        json.dumps(span, sort_keys=True)
        for line in lines
        for of in json.loads(line)["resourceSpans"]
        for scope in of["scopeSpans"]
        for span in scope["spans"]
    )


def ids_of(spans: Counter[str]) -> Counter[str]:
    return Counter(json.loads(span)["spanId"] for span in spans.elements())


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.fixture(scope="module")
def expected(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    home = tmp_path_factory.mktemp("expected")
    assert whole(home, archive, "--to", home / "traces.jsonl")["runs"] == RUNS
    found = spans_in(home / "traces.jsonl")
    EXPECTED_BYTES[0] = size(home / "traces.jsonl")
    assert (len(found), set(found.values())) == (3 * RUNS, {1})
    return found


@pytest.mark.wide
def test_killed_while_it_writes_a_file(archive: Path, expected: Counter[str], tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    kills = 0
    for share in (0.5, 0.8):  # a batch that was delivered, and noted, is a third
        due = share * EXPECTED_BYTES[0]
        kills += killed(tmp_path, archive, "--to", file, when=lambda due=due: size(file) > due)
    assert kills == 2
    with file.open("ab") as torn:  # a line that the kill cut
        torn.write(b'{"resourceSpans":[{"resource":')
    report = whole(tmp_path, archive, "--to", file)
    assert report["skipped"] > 0
    assert spans_in(file) == expected
    assert not list((tmp_path / "runspan" / "imports").iterdir())


@pytest.mark.wide
def test_killed_while_it_reads(archive: Path, expected: Counter[str], tmp_path: Path) -> None:
    imports = tmp_path / "runspan" / "imports"
    assert killed(
        tmp_path,
        *(archive, "--to", tmp_path / "traces.jsonl"),
        when=lambda: imports.exists() and any(size(path) > 200_000 for path in imports.glob("*.db*")),
    )
    assert whole(tmp_path, archive, "--to", tmp_path / "traces.jsonl")["runs"] == RUNS
    assert spans_in(tmp_path / "traces.jsonl") == expected


@pytest.mark.wide
def test_killed_while_it_fills_the_viewer(archive: Path, expected: Counter[str], tmp_path: Path) -> None:
    db = tmp_path / "runspan" / "traces.db"
    wal = db.with_name("traces.db-wal")
    assert killed(tmp_path, archive, when=lambda: size(wal) > 1_000_000)
    assert whole(tmp_path, archive)["skipped"] < RUNS
    for _ in range(2):  # and once more from the start, which changes nothing
        with Store(db, is_read_only=True) as store:
            assert (store.count_spans(), store.count_runs(RunFilter()), store.count_traces()) == (
                3 * RUNS,
                RUNS,
                RUNS,
            )
            bodies = store.select("SELECT id, hex(span), hex(body) FROM spans ORDER BY id")
        assert Counter(span.lower() for _, span, _ in bodies) == ids_of(expected)
        assert whole(tmp_path, archive)["runs"] == RUNS
    with Store(db, is_read_only=True) as store:
        assert store.select("SELECT id, hex(span), hex(body) FROM spans ORDER BY id") == bodies


class Failing(SpanExporter):
    """Takes `batches` and then nothing."""

    cure = "Is it there?"

    def __init__(self, batches: int) -> None:
        self.left = batches
        self.taken: list[Any] = []

    def export(self, spans: Any) -> SpanExportResult:
        if not self.left:
            return SpanExportResult.FAILURE
        self.left -= 1
        self.taken += spans
        return SpanExportResult.SUCCESS


def test_a_receiver_that_stops_taking_is_gone_on_with(
    archive: Path, expected: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runspan.importing.delivery._PAUSES_S", (0.0,))
    taken: list[Any] = []
    for batches in (2, 1):
        exporter = Failing(batches)
        with Importer(exporter=exporter, state=tmp_path / "state.db") as importer:
            importer.read(archive)
            with pytest.raises(NotDeliveredError, match=r"^Is it there\?$"):
                importer.finish()
        taken += exporter.taken
    exporter = Failing(1_000)
    with Importer(exporter=exporter, state=tmp_path / "state.db") as importer:
        importer.read(archive)
        assert 0 < importer.finish().skipped < RUNS
    taken += exporter.taken
    ids = Counter(f"{span.context.span_id:016x}" for span in taken)
    assert ids == ids_of(expected)
    assert not (tmp_path / "state.db").exists()


def test_what_could_not_be_read_is_told_at_each_start(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("some notes")
    for _ in range(2):
        told: list[Any] = []
        with Importer(exporter=Failing(0), state=tmp_path / "state.db", on_fault=told.append) as importer:
            importer.read(tmp_path / "notes.txt")
        assert [fault.reason for fault in told] == ["neither JSON nor JSON lines"]


def test_an_archive_that_changed_is_read_anew(tmp_path: Path) -> None:
    state, file = tmp_path / "state.db", tmp_path / "thread.json"
    write(file, thread("thread_1", 2))
    with Importer(exporter=Failing(0), state=state) as importer:
        importer.read(file)
    write(file, thread("thread_1", 3))
    exporter = Failing(9)
    with Importer(exporter=exporter, state=state) as importer:
        importer.read(file)
        report = importer.finish()
    assert (report.runs, report.skipped) == (3, 0)


def test_what_is_kept_meanwhile_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    with Importer(exporter=Failing(0), state=tmp_path / "state.db") as importer:
        importer.add(thread("thread_1"))
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {"0o600"}


def test_two_imports_of_the_same_do_not_mix(tmp_path: Path) -> None:
    from runspan.importing import BusyError

    with Importer(exporter=Failing(0), state=tmp_path / "state.db"), pytest.raises(BusyError):
        Importer(exporter=Failing(0), state=tmp_path / "state.db")


def test_a_file_that_is_no_file_of_traces_is_left_as_it_is(tmp_path: Path) -> None:
    from runspan import ConfigError

    for content in ("my notes", "my notes\n", '{"a": 1}\n', "[]\n"):
        file = tmp_path / "notes.txt"
        file.write_text(content)
        with pytest.raises(ConfigError):
            Importer(file=str(file))
        assert file.read_text() == content


def test_the_same_run_has_the_same_ids_in_every_process(tmp_path: Path) -> None:
    """Known by heart: a later release must not change them."""
    spans, _ = imported(objects=[thread("thread_1")])
    told = sorted((s.name, f"{s.context.trace_id:032x}", f"{s.context.span_id:016x}") for s in spans)
    assert told == IDS


IDS = [
    ("chat gpt-4o", "36ca5154f0f71a5324c76dcf67e38d58", "9de0792bc4236792"),
    ("execute_tool get_weather", "36ca5154f0f71a5324c76dcf67e38d58", "de824c0059454d96"),
    ("invoke_agent", "36ca5154f0f71a5324c76dcf67e38d58", "c42ba1783c286ac5"),
]
