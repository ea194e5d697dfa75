"""`file=`: whole lines of OTLP JSON, also with several processes at one file, and after rotation."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

import runspan
from runspan.exporting import file
from runspan.exporting.file import FileExporter
from runspan.viewer.decode import JSON
from runspan.viewer.spans import Span
from tests.support import receiver as receivers
from tests.support.app import begin_runs, canned_client
from tests.support.otlp import runs
from tests.support.receiver.signals import TRACES, decode

from . import made

OK, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


def read(path: Path) -> list[Span]:
    """As the Collector and the viewer read it: line by line."""
    found: list[Any] = []
    for line in path.read_bytes().splitlines():
        found += decode(TRACES, line, JSON)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.jsonl"


def use(number: int = 1, **options: Any) -> None:
    runspan.instrument(**{"limits": runspan.Limits(exit_timeout_s=20), "background_fetch": False, **options})
    try:
        begin_runs(canned_client(), number)
    finally:
        runspan.uninstrument()


def names(path: Path) -> list[str]:
    return sorted(span.name.split()[0] for span in read(path))


# ---------------------------------------------------------------- the whole way


def test_a_run_is_in_the_file_and_nothing_goes_over_the_network(path: Path) -> None:
    use(file=str(path))
    assert names(path) == ["chat", "invoke_agent"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_by_variable_with_a_line_at_start(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "runspan")
    monkeypatch.setenv("RUNSPAN_FILE", str(path))
    use()
    assert names(path) == ["chat", "invoke_agent"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"traces go to the file {path};" in line


@pytest.mark.parametrize("how", ["option", "variable", "backend"])
def test_beside_an_address_that_is_given(how: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receivers.serve() as receiver:
        if how == "option":
            use(file=str(path), endpoint=receiver.endpoint)
        elif how == "variable":
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
            use(file=str(path))
        else:
            monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", receiver.endpoint)
            use(file=str(path), backend="phoenix")
        assert len(runs(receiver)) == 1
        assert {s.span_id for s in read(path)} == {s.span_id for s in receiver.spans}


def test_no_exporter_of_otel_leaves_the_file_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    use(file=str(path))
    assert len(read(path)) == 2


def test_it_appends(path: Path) -> None:
    use(file=str(path))
    use(file=str(path))
    assert len(read(path)) == 4


def test_a_path_is_meant_where_the_app_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    runspan.instrument(file="traces.jsonl", background_fetch=False, limits=runspan.Limits(exit_timeout_s=20))
    try:
        monkeypatch.chdir(tmp_path / "elsewhere")
        begin_runs(canned_client(), 1)
    finally:
        runspan.uninstrument()
    assert len(read(tmp_path / "traces.jsonl")) == 2


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("name", ["", "missing/traces.jsonl", "folder"])
def test_a_file_that_can_not_be_written_stops_at_start(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(runspan.ConfigError, match="file="):
        use(file=str(tmp_path / name) if name else "")


def test_a_provider_and_a_file_contradict_each_other(path: Path) -> None:
    with pytest.raises(runspan.ConfigError, match="file"):
        runspan.instrument(file=str(path), tracer_provider=TracerProvider(shutdown_on_exit=False))


def test_a_full_disk_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    handle = runspan.instrument(
        file="/dev/full", background_fetch=False, limits=runspan.Limits(exit_timeout_s=20)
    )
    try:
        begin_runs(canned_client(), 2)
    finally:
        runspan.uninstrument()
    assert handle.stats().dropped == {"export_failed_spans": 4}
    (warning,) = [record.getMessage() for record in caplog.records if record.name == "runspan"]
    assert "Is the disk full" in warning


def test_after_a_torn_line_the_next_one_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = FileExporter(str(path))
    real = os.write
    monkeypatch.setattr(file.os, "write", lambda fd, data: _tear(real, fd, data, monkeypatch))
    assert exporter.export(made.spans({"n": 1})) is FAILURE
    assert exporter.delivered == 0
    assert exporter.export(made.spans({"n": 2})) is OK
    torn, whole = path.read_bytes().splitlines()
    with pytest.raises(ValueError, match="char"):
        json.loads(torn)
    (span,) = decode(TRACES, whole, JSON)
    assert span.attributes == {"n": 2}


def _tear(real: Any, fd: int, data: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """The disk takes ten bytes, then nothing; after that it has room again."""
    monkeypatch.setattr(file.os, "write", lambda *_: _full(real, monkeypatch))
    return int(real(fd, data[:10]))


def _full(real: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(file.os, "write", real)
    raise OSError(28, "No space left on device")


def test_a_write_that_takes_a_part_is_followed_by_the_rest(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(file.os, "write", lambda fd, data: real(fd, data[:100]))
    assert FileExporter(str(path)).export(made.spans({"n": 1})) is OK
    assert len(read(path)) == 1


def test_rotation_by_moving_it_away_is_noticed(path: Path) -> None:
    exporter = FileExporter(str(path))
    assert exporter.export(made.spans({"n": 1})) is OK
    path.rename(path.with_suffix(".1"))
    assert exporter.export(made.spans({"n": 2})) is OK
    assert [span.attributes for span in read(path.with_suffix(".1"))] == [{"n": 1}]
    assert [span.attributes for span in read(path)] == [{"n": 2}]
    path.write_bytes(b"")  # and by copying and cutting it to nothing
    assert exporter.export(made.spans({"n": 3})) is OK
    assert [span.attributes for span in read(path)] == [{"n": 3}]


def test_a_folder_that_goes_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    exporter = FileExporter(str(folder / "t.jsonl"))
    assert exporter.export(made.spans({"n": 1})) is OK
    (folder / "t.jsonl").unlink()
    folder.rmdir()
    assert exporter.export(made.spans({"n": 2})) is FAILURE
    folder.mkdir()
    assert exporter.export(made.spans({"n": 3})) is OK
    exporter.shutdown()
    assert exporter.export(made.spans({"n": 4})) is FAILURE
    assert [span.attributes for span in read(folder / "t.jsonl")] == [{"n": 3}]


def lines(path: Path) -> Iterator[bytes]:
    yield from path.read_bytes().splitlines()


def test_no_line_is_longer_than_the_collector_reads(path: Path) -> None:
    exporter = FileExporter(str(path))
    spans = made.spans(*({"text": "x" * 90_000} for _ in range(50)), {"text": '"' * 3_000_000})
    assert exporter.export(spans) is OK
    assert exporter.delivered == 51
    assert max(map(len, lines(path))) < file.MAX_LINE_BYTES
    assert len(read(path)) == 51


def test_a_span_that_can_not_be_made_small_enough_is_counted(path: Path) -> None:
    exporter = FileExporter(str(path))
    (hopeless,) = made.spans({f"{'k' * 10_000}{n}": n for n in range(120)})
    assert exporter.export([*made.spans({"n": 1}), hopeless]) is FAILURE
    assert exporter.delivered == 1
    assert len(read(path)) == 1
