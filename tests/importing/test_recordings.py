"""Recorded traffic, imported, gives what the same traffic gave when it was played to a live client."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.recordings.folder import RECORDINGS, why_absent

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from tests.e2e.recordings.cases import Case, cases
from tests.importing.comparing import differences, imported, shown
from tests.support.slices import few

RESPONSES = RECORDINGS.parent / "recordings-responses"
NEVER_ON_A_WIRE = {"docs_examples_runs"}  # its stamps contradict one another
ID = re.compile(r'\\?"id\\?": ?\\?"(resp_\w+)')
MODES = ("sync-iterate", "sync-handler-poll-helper", "sync-handler")
CASES = [case for case in cases() if case.recording.stem not in NEVER_ON_A_WIRE and case.mode.name in MODES]


@pytest.mark.parametrize(
    "case", few(CASES, lambda case: case.mode.name == MODES[-1]), ids=lambda case: case.name
)
def test_a_recording_gives_the_spans_that_were_made_live(case: Case) -> None:
    spans, report = imported(case.recording)
    assert report.left_out == 0
    told = differences(shown(case.traced().spans), shown(spans), with_events=True)
    begun = {one for one in shown(spans) if one in _begun(case.recording)}
    assert [line for line in told if not _is_of_nature(line, begun)] == []


def _begun(recording: Path) -> str:
    """All that the requests which start runs were answered."""
    lines = [json.loads(line) for line in recording.read_text("utf-8").splitlines()]
    return "".join(
        json.dumps(line["response"])
        for line in lines
        if line["request"]["method"] == "POST" and line["request"]["path"].endswith("/runs")
    )


def _is_of_nature(line: str, begun: set[str]) -> bool:
    """Runs that the recording only reads are imported; live they are another process's."""
    is_only_read = line.endswith(": only imported") and line.partition(":")[0] not in begun
    return is_only_read or line.endswith("runspan.run.unfinished: 'shutdown' / 'archived'")


def test_the_cases_are_there() -> None:
    assert len(CASES) >= 60


def test_a_copy_of_a_recording_adds_nothing(tmp_path: Path) -> None:
    """Failed calls have no ids of their own: the same failure in another file is the same call, twice in one file another one."""
    recording = RECORDINGS / "ruby_run_cancel.jsonl"
    text = recording.read_text("utf-8")
    _, once = imported(recording)
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(text)
    _, copied = imported(tmp_path)
    assert (copied.runs, copied.spans) == (once.runs, once.spans) == (3, 4)
    (failure,) = {line for line in text.splitlines() if '"status": 400' in line and "thread_UNN" in line}
    (tmp_path / "a.jsonl").write_text(text + failure + "\n")
    assert imported(tmp_path)[1].runs == 4


def test_an_export_knows_better_how_a_recorded_run_ended(tmp_path: Path) -> None:
    recording = RECORDINGS / "ruby_create_thread_and_run.jsonl"
    lines = [json.loads(line) for line in recording.read_text("utf-8").splitlines()]
    run = lines[-1]["response"]["body"]
    over = {**run, "status": "completed", "completed_at": run["created_at"] + 9}
    (tmp_path / "run.json").write_text(json.dumps(over))
    spans, report = imported(recording, tmp_path)
    (outer,) = [span for span in spans if span.parent is None]
    assert (report.runs, (outer.attributes or {})["runspan.run.status"]) == (1, "completed")
    assert ((outer.end_time or 0) - (outer.start_time or 0)) // 10**9 == 9


@pytest.mark.skipif(not RESPONSES.is_dir(), reason="no recordings of responses")
def test_each_recorded_response_is_one_run() -> None:
    """Those that were created in the recording, and those that it only reads."""
    spans, report = imported(RESPONSES)
    ids = [
        str(span.attributes["runspan.run.id"])
        for span in spans
        if "runspan.run.id" in (span.attributes or {})
    ]
    created = {id_ for path in RESPONSES.glob("*.jsonl") for id_ in _created(path)}
    assert len(created) >= 35
    assert len(ids) == len(set(ids))
    assert created - set(ids) == set()
    assert all(span.start_time and span.start_time > 1_600_000_000 * 10**9 for span in spans)
    assert report.left_out == 2  # the index and the sealed half: neither is JSON


def _created(recording: Path) -> set[str]:
    """Ids in the answers of the requests that create responses."""
    lines = [json.loads(line) for line in recording.read_text("utf-8").splitlines()]
    posts = [
        line
        for line in lines
        if line["request"]["method"] == "POST" and line["request"]["path"].endswith("/responses")
    ]
    return {match[1] for line in posts if (match := ID.search(json.dumps(line["response"]["body"])))}
