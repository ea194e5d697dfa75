"""`runspan export` as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.importing.archives import A, message, objects, run, thread
from tests.importing.exporting import write, write_layout, write_lines
from tests.support.children import PATIENCE_S

from .conftest import Command, spans_of


def test_threads_as_chat_lines(command: Command, archive: Path) -> None:
    command("import", archive)
    ended = command("export")
    assert (ended.returncode, ended.stderr) == (0, "2 threads written\n")
    first, second = map(json.loads, ended.stdout.splitlines())
    said = [(m["role"], m.get("content")) for m in first["messages"] if not m.get("tool_calls")]
    assert said == [
        ("system", "Be brief."),
        ("user", "Question 0?"),
        ("tool", "21"),
        ("assistant", "Answer 0."),
        ("user", "Question 1?"),
        ("tool", "21"),
        ("assistant", "Answer 1."),
    ]
    (call,) = second["messages"][2]["tool_calls"]
    assert (call["type"], call["function"]) == (
        "function",
        {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    )
    assert second["messages"][3]["tool_call_id"] == call["id"]


def test_threads_as_items_in_chunks_of_twenty(command: Command, tmp_path: Path) -> None:
    write(tmp_path / "thread.json", thread("thread_1", 12))
    command("import", tmp_path / "thread.json")
    ended = command("export", "--as", "items", "--to", "items.jsonl")
    assert (ended.returncode, ended.stdout) == (0, "")
    lines = [json.loads(line) for line in (command.home / "items.jsonl").read_text().splitlines()]
    assert [(line["chunk"], line["chunks"], len(line["items"])) for line in lines] == [
        (1, 3, 20),
        (2, 3, 20),
        (3, 3, 8),
    ]
    kinds = [item["type"] for line in lines for item in line["items"]]
    assert kinds == ["message", "function_call", "function_call_output", "message"] * 12
    assert lines[0]["items"][0]["content"] == [{"type": "input_text", "text": "Question 0?"}]
    assert lines[0]["items"][3]["content"] == [{"type": "output_text", "text": "Answer 0."}]


def test_items_are_what_conversations_take(command: Command, archive: Path) -> None:
    """A real client sends them to the fake, and reads them back."""
    openai = pytest.importorskip("openai")
    from runspan.fake import serve

    command("import", archive)
    lines = [json.loads(line) for line in command("export", "--as", "items").stdout.splitlines()]
    with serve("text") as server, openai.OpenAI(api_key="none", base_url=server.base_url) as client:
        if not hasattr(client, "conversations"):
            pytest.skip("this client knows no conversations")
        for line in lines:
            made = client.conversations.create(items=line["items"])
            kept = list(client.conversations.items.list(made.id, order="asc"))
            assert [item.type for item in kept] == [item["type"] for item in line["items"]]


def test_parts_without_a_place_are_refused_by_name(command: Command, tmp_path: Path) -> None:
    export = thread("thread_1")
    code = {"type": "code_interpreter", "id": "call_1", "code_interpreter": {"input": "1+1", "outputs": []}}
    export["runs"][0]["steps"][0]["step_details"]["tool_calls"] = [code]
    pictured = thread("thread_2", 1, A + 60)
    pictured["messages"][0]["content"].append({"type": "image_file", "image_file": {"file_id": "file_1"}})
    write_layout(tmp_path / "export", [export, pictured, thread("thread_3", 1, A + 90)])
    command("import", tmp_path / "export")
    ended = command("export")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "thread_1: server_tool_call code_interpreter",
        "thread_2: file image",
        "1 threads written",
        "Error: 2 threads refused: --drop NAME leaves parts out",
    ]
    ended = command("export", "--drop", "server_tool_call", "--drop", "file image")
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 3)
    items = command("export", "--as", "items", "--thread", "thread_2").stdout
    assert {"type": "input_image", "file_id": "file_1"} in json.loads(items)["items"][0]["content"]


def test_a_text_that_was_cut_is_no_example(command: Command, tmp_path: Path) -> None:
    long = message("thread_1", 7, "user", "x" * 20_000, A - 2)
    write_lines(tmp_path / "a.jsonl", [*objects(thread("thread_1")), long])
    command("import", tmp_path / "a.jsonl")
    assert command("export").stderr.splitlines()[0] == "thread_1: cut"


def test_traces_as_they_are(command: Command, archive: Path) -> None:
    command("import", archive)
    ended = command("export", "--as", "otlp", "--thread", "thread_1", "--to", "out.jsonl")
    assert ended.stderr == "2 traces written\n"
    assert len(spans_of(command.home / "out.jsonl")) == 6
    assert command("export", "--to", "out.jsonl").returncode == 2  # it is there already


def test_nothing_to_export_is_said(command: Command, archive: Path) -> None:
    command("import", archive)
    ended = command("export", "--thread", "thread_9")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "no run has --thread 'thread_9'" in ended.stderr


def given(command: Command, before: int, between: int, limit: int = 100) -> str:
    """A thread of two runs, with so many questions before each; what its export says."""
    rows = [run("t", 0, A), run("t", 1, A + 100), message("t", 0, "assistant", "Yes", A + 2, "run_t_0")]
    rows += [message("t", 1 + n, "user", f"Before {n}", A - 5) for n in range(before)]
    rows += [message("t", 1_000 + n, "user", f"Between {n}", A + 50) for n in range(between)]
    rows += [message("t", 3_000, "assistant", "No", A + 102, "run_t_1")]
    write_lines(command.home / "thread.jsonl", rows)
    assert command("import", "thread.jsonl").returncode == 0
    ended = command("export")
    return ended.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("before", "between", "said"),
    [(2, 90, "1 threads written"), (90, 90, "1 threads written"), (2, 150, "t: omitted"), (150, 2, "t: omitted"),
     (1_200, 2, "t: omitted")],
)  # fmt: skip
def test_a_thread_with_a_hole_is_no_example(command: Command, before: int, between: int, said: str) -> None:
    assert given(command, before, between) == said


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_half_a_file_is_none(command: Command, archive: Path) -> None:
    command("import", archive)
    cases = [
        ("ulimit -f 2", ["--as", "otlp"], "File too large"),  # as on a full disk
        ("true", ["--thread", "thread_9"], "no run has --thread"),
        ("true", ["--as", "otlp", "--drop", "x"], "--drop is for chat and items"),
    ]
    for script, options, said in cases:
        ended = subprocess.run(
            ["bash", "-c", f'{script}; exec "$@"', "bash", sys.executable, "-m", "runspan.cli", "export", *options,
             "--to", "out.jsonl"],
            env=command.env(), cwd=command.home, capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        assert said in ended.stderr
        assert not (command.home / "out.jsonl").exists()
    assert command("export", "--to", "out.jsonl").returncode == 0
    assert "is there already" in command("export", "--to", "out.jsonl").stderr
