"""Long lists, read in pieces or whole, and the order in which a list stands where stamps do not tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.importing.archives import A, message, page, run, thread
from tests.importing.comparing import imported
from tests.importing.exporting import write, write_lines


def test_a_list_of_any_length_is_read_in_slices(tmp_path: Path) -> None:
    runs = [run(f"thread_{n}") for n in range(1_201)]
    write(tmp_path / "runs.json", page(runs))
    _, report = imported(tmp_path)
    assert (report.found, report.runs) == ({"runs": 1_201}, 1_201)


LONG = 701


def thread_of_many_messages(**order: Any) -> str:
    export = thread("thread_1")
    export["messages"] = [message("thread_1", n, "user", f"Question {n}", A - 1) for n in range(LONG)]
    return json.dumps(export, indent=1, **order)


@pytest.mark.parametrize("order", [{}, {"sort_keys": True}], ids=["as written", "sorted"])
def test_a_long_thread_is_read_whole_in_any_order_of_its_keys(order: Any, tmp_path: Path) -> None:
    (tmp_path / "thread.json").write_text(thread_of_many_messages(**order))
    spans, report = imported(tmp_path)
    assert (report.found, report.faults) == (
        {"conversations": 1, "messages": LONG, "runs": 1, "steps": 1},
        [],
    )
    (chat,) = [span for span in spans if span.name.startswith("chat")]
    assert (chat.attributes or {})["runspan.input.omitted_messages"] == LONG - 100


@pytest.mark.parametrize("order", [{}, {"sort_keys": True}], ids=["as written", "sorted"])
def test_a_long_response_is_one_object(order: Any, tmp_path: Path) -> None:
    """Its lists are no objects of their own: in pieces, a later one would replace those before."""

    def said(kind: str, role: str) -> list[Any]:
        return [
            {
                "id": f"{kind}_{n}",
                "type": "message",
                "role": role,
                "content": [{"type": kind, "text": f"{n}"}],
            }
            for n in range(LONG)
        ]

    def response(id_: str, output: list[Any]) -> dict[str, Any]:
        return {"id": id_, "object": "response", "created_at": A, "status": "completed", "model": "m", "output": output,
                "usage": {"input_tokens": 3, "output_tokens": 4}}  # fmt: skip

    asked = {"response": response("resp_1", []), "input_items": said("input_text", "user")}
    (tmp_path / "asked.json").write_text(json.dumps(asked, indent=1, **order))
    told = response("resp_2", said("output_text", "assistant"))
    (tmp_path / "told.json").write_text(json.dumps(told, indent=1, **order))
    spans, report = imported(tmp_path)
    first, second = (span.attributes or {} for span in spans)
    assert report.found == {"lists of input": 1, "runs": 2}
    assert first["runspan.input.omitted_messages"] == LONG - 100
    assert str(second["gen_ai.output.messages"]).count('"role"') == LONG
    assert second["gen_ai.usage.input_tokens"] == 3


def test_lines_behind_a_very_long_one_are_lines(tmp_path: Path) -> None:
    long = thread("thread_1")
    long["messages"][0]["content"][0]["text"]["value"] = "x" * 1_100_000
    lines = [json.dumps(long), "{broken", *(json.dumps(thread(f"thread_{n}")) for n in range(2, 5))]
    (tmp_path / "threads.jsonl").write_text("\n".join(lines))
    _, report = imported(tmp_path)
    assert (report.runs, [(fault.line, fault.reason[:11]) for fault in report.faults]) == (
        4,
        [(2, "broken JSON")],
    )


def test_within_one_second_the_order_of_the_list_tells(tmp_path: Path) -> None:
    """Newest first, as servers list; two were written in one second."""
    said = [("user", "one", A - 9), ("user", "two", A - 5), ("user", "three", A - 5), ("user", "four", A - 1)]
    listed = [message("thread_1", 9 - n, role, text, at) for n, (role, text, at) in enumerate(said)]
    for rows in (listed, listed[::-1]):
        spans, _ = imported(objects=[page(rows), run("thread_1")])
        (chat,) = [span for span in spans if span.name.startswith("chat")]
        given = json.loads(str((chat.attributes or {})["gen_ai.input.messages"]))
        assert [one["parts"][0]["content"] for one in given] == ["one", "two", "three", "four"]


@pytest.mark.parametrize("seconds", [1, 3])
@pytest.mark.parametrize("size", [2, 4, 9])
def test_pages_of_one_list_are_newest_first_together(size: int, seconds: int, tmp_path: Path) -> None:
    """A thread is made with many messages in one second, which no stamp tells apart."""
    due = [f"Question {n}" for n in range(9)]
    rows = [message("thread_1", n, "user", text, A - 9 + n * seconds // 9) for n, text in enumerate(due)][
        ::-1
    ]
    pages = [page(rows[at : at + size]) for at in range(0, len(rows), size)]
    write_lines(tmp_path / "pages.jsonl", [*pages, page([run("thread_1")])])
    for spans, _ in (imported(tmp_path), imported(objects=[*pages, run("thread_1")])):
        (chat,) = [span for span in spans if span.name.startswith("chat")]
        given = json.loads(str((chat.attributes or {})["gen_ai.input.messages"]))
        assert [one["parts"][0]["content"] for one in given] == due
