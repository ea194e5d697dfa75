"""`runspan import` and `runspan export` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runspan.viewer import RunFilter, Store
from runspan.viewer import receiver as receivers
from tests.importing.archives import A, message, objects, thread
from tests.importing.exporting import write, write_layout, write_lines

from .conftest import Command

DAY_S = 86_400


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "export", [thread("thread_1", 2), thread("thread_2", 1, A + 10 * DAY_S)])


def spans_of(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text("utf-8").splitlines()
    exports = [of for line in lines for of in json.loads(line)["resourceSpans"]]
    return [span for of in exports for scope in of["scopeSpans"] for span in scope["spans"]]


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


# ---------------------------------------------------------------- export


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
