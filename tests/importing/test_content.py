"""Content is kept, left out, redacted and cut as it is live; and nothing of an app's process loads this package."""

from __future__ import annotations

from pathlib import Path

import pytest

from runspan import Limits
from tests.importing.archives import A, message, run, thread
from tests.importing.comparing import imported
from tests.support.children import run as run_python

SECRET = "Answer 0."


def test_without_content_no_text_goes_out() -> None:
    spans, report = imported(objects=[thread("t")], capture_content=False)
    said = str([(span.name, span.attributes, span.events) for span in spans])
    assert report.runs == 1
    assert not any(text in said for text in ("Question", "Answer", "Be brief.", "Paris", "21°"))


def test_the_variables_of_an_app_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RUNSPAN_CAPTURE_CONTENT", "false")
    assert SECRET not in str([span.attributes for span in imported(objects=[thread("t")])[0]])
    monkeypatch.setenv("RUNSPAN_CAPTURE_CONTENT", "events")  # log records of the past: none
    assert SECRET not in str([span.attributes for span in imported(objects=[thread("t")])[0]])
    assert caplog.records == []


def test_each_text_is_redacted() -> None:
    def redact(kind: str, text: str) -> str:
        return text.replace("Answer", "******")

    spans, _ = imported(objects=[thread("t")], redact=redact)
    said = str([span.attributes for span in spans])
    assert "****** 0." in said
    assert SECRET not in said


def test_a_redaction_that_fails_leaves_the_text_out() -> None:
    def redact(kind: str, text: str) -> str:
        raise ZeroDivisionError

    spans, report = imported(objects=[thread("t")], redact=redact)
    assert report.runs == 1
    assert "Question" not in str([span.attributes for span in spans])


def test_limits_hold() -> None:
    long = message("t", 1, "assistant", "x" * 100_000, A + 2, "run_t_0")
    many = [message("t", n, "user", f"Question {n}", A - 1) for n in range(2, 60)]
    spans, _ = imported(
        objects=[run("t"), long, *many], limits=Limits(max_input_messages=5, max_text_chars=64)
    )
    (chat,) = [span for span in spans if span.name.startswith("chat")]
    attributes = chat.attributes or {}
    assert "x" * 65 not in str(attributes["gen_ai.output.messages"])
    assert str(attributes["gen_ai.input.messages"]).count('"role"') == 5
    assert attributes["runspan.input.omitted_messages"] == 53


def test_files_of_an_export_are_never_read() -> None:
    export = thread("t")
    export["files"] = {"file_1": {"id": "file_1", "object": "file", "filename": "salaries.xlsx"}}
    spans, report = imported(objects=[export])
    assert (report.left_out, "salaries" in str([span.attributes for span in spans])) == (0, False)


def test_an_app_that_is_instrumented_loads_nothing_of_it() -> None:
    script = (
        "import sys, runspan; runspan.instrument(); import openai; runspan.flush();"
        "print([m for m in sys.modules if 'importing' in m or 'archive' in m and m.startswith('runspan')])"
    )
    assert run_python(script).check().strip() == "[]"


def test_what_was_read_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    imported(objects=[thread("t")])
    assert list(tmp_path.iterdir()) == []
