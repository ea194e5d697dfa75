"""Where archives come from: folders with links and closed doors in them, pipes, encodings, and a target in their midst."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from runspan.importing import BusyError, Importer
from tests.importing.archives import objects, thread
from tests.importing.comparing import imported
from tests.importing.exporting import write, write_lines


def test_links_are_followed_and_each_folder_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "thread.json", thread("thread_1"))
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "link").symlink_to(tmp_path / "elsewhere")
    (archive / "again").symlink_to(tmp_path / "elsewhere" / "thread.json")
    (archive / "loop").symlink_to(archive)
    (archive / "self").symlink_to(archive / "self")
    (archive / "gone").symlink_to(tmp_path / "nowhere")
    _, report = imported(archive)
    assert report.runs == 1
    assert sorted(str(fault) for fault in report.faults) == [
        f"{archive}/gone: No such file or directory",
        f"{archive}/self: Too many levels of symbolic links",
    ]


def test_a_folder_that_can_not_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may open everything, so the system's refusal is played."""
    closed = tmp_path / "closed"
    closed.mkdir()
    write(closed / "thread.json", thread("thread_1"))
    write(tmp_path / "thread.json", thread("thread_2"))
    scan = os.scandir

    def scandir(path: Any) -> Any:
        if path in (closed, str(closed)):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", scandir)
    for given, runs in ((tmp_path, 1), (closed, 0)):
        _, report = imported(given)
        assert (report.runs, [str(fault) for fault in report.faults]) == (
            runs,
            [f"{closed}: Permission denied"],
        )


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = json.dumps(thread("thread_1")) + "\n{broken\n"
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    _, report = imported(pipe)
    writer.join(10)
    assert (report.runs, [(fault.file, fault.line) for fault in report.faults]) == (1, [(str(pipe), 2)])
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]
)
def test_every_encoding_that_json_has(encoding: str, tmp_path: Path) -> None:
    export = thread("thread_1")
    export["messages"][0]["content"][0]["text"]["value"] = "你好 🙂"
    (tmp_path / "thread.json").write_text(json.dumps(export, ensure_ascii=False), encoding=encoding)
    write_lines(tmp_path / "lines.jsonl", objects(thread("thread_2")))
    (tmp_path / "lines.jsonl").write_text((tmp_path / "lines.jsonl").read_text(), encoding=encoding)
    spans, report = imported(tmp_path)
    assert (report.runs, report.faults) == (2, [])
    assert "你好 🙂" in str([span.attributes for span in spans])


def test_the_file_that_is_written_is_no_part_of_the_archive(tmp_path: Path) -> None:
    write(tmp_path / "thread.json", thread("thread_1"))
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "traces.jsonl")
    for _ in range(2):
        with Importer(file=str(tmp_path / "traces.jsonl")) as importer:
            importer.read(tmp_path)
            report = importer.finish()
        assert (report.runs, report.left_out) == (1, 0)


def test_one_import_at_a_time_writes_to_a_file(tmp_path: Path) -> None:
    """Each would write what the other one has written meanwhile."""
    file = str(tmp_path / "traces.jsonl")
    with Importer(file=file) as importer, pytest.raises(BusyError, match="another import writes to"):
        Importer(file=file)
    assert not Path(file).exists()  # nothing came
    with Importer(file=file) as importer:
        importer.add(thread("thread_1"))
        importer.finish()
    assert len(Path(file).read_text().splitlines()) == 1


def test_a_file_that_was_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    file.touch()
    with Importer(file=str(file)) as importer:
        importer.finish()
    assert file.exists()
