"""Every layout of the same runs gives the same spans, alone and mixed in one folder; what is broken costs one line each."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from runspan.importing import Fault
from tests.importing.archives import A, assistant, message, objects, page, run, thread
from tests.importing.comparing import ONLY_LIVE, imported
from tests.importing.exporting import write, write_layout, write_lines

THREADS = [thread("thread_1", 3), thread("thread_2", 2, A + 500)]
OBJECTS = [assistant(), *(one for export in THREADS for one in objects(export))]


def layout(folder: Path) -> None:
    write_layout(folder, THREADS, [assistant()])


def lines(folder: Path) -> None:
    write_lines(folder / "all.jsonl", OBJECTS)


def scattered_lines(folder: Path) -> None:
    shuffled = list(OBJECTS)
    random.Random(1).shuffle(shuffled)
    for n in range(4):
        write_lines(folder / f"part{n}.ndjson", shuffled[n::4])


def pages(folder: Path) -> None:
    """As `list()` gives them: newest first."""
    for kind in {one["object"] for one in OBJECTS}:
        write(folder / f"{kind}.json", page([one for one in OBJECTS if one["object"] == kind][::-1]))


def lists_in_one_line(folder: Path) -> None:
    (folder / "all.json").write_text(json.dumps([[one] for one in OBJECTS]))


def packed(folder: Path) -> None:
    with gzip.open(folder / "all.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(one) + "\n" for one in OBJECTS)


def utf_16(folder: Path) -> None:
    (folder / "all.json").write_text(json.dumps(OBJECTS, indent=1), encoding="utf-16")


def twice(folder: Path) -> None:
    lines(folder)
    layout(folder / "again")
    pages(folder / "again")


def odd_names(folder: Path) -> None:
    """No UTF-8, and no text of one line."""
    for n, name in enumerate((b"\xff.jsonl", b"new\nline.json", b"100% \xe2\x80\xae.txt")):
        with open(os.fsencode(folder) + b"/" + name, "w") as file:
            file.writelines(json.dumps(one) + "\n" for one in OBJECTS[n::3])


LAYOUTS = (odd_names, layout, lines, scattered_lines, pages, lists_in_one_line, packed, utf_16, twice)


def values(spans: list[Any]) -> list[Any]:
    """Whole spans, with ids and times."""
    return sorted(
        [
            (
                span.context.trace_id,
                span.context.span_id,
                span.parent and span.parent.span_id,
                span.name,
                span.start_time,
                span.end_time,
                sorted((key, str(value)) for key, value in span.attributes.items()),
            )
            for span in spans
        ]
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("expected")
    layout(folder)
    spans, report = imported(folder)
    assert (report.runs, report.spans, report.left_out) == (5, 15, 0)
    return values(spans)


@pytest.mark.parametrize("made", LAYOUTS, ids=lambda made: made.__name__)
def test_the_layout_does_not_matter(made: Any, expected: list[Any], tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    made(tmp_path)
    spans, report = imported(tmp_path)
    assert report.left_out == 0
    assert values(spans) == expected


def test_objects_can_be_added_one_by_one(expected: list[Any]) -> None:
    spans, _ = imported(objects=OBJECTS)
    assert values(spans) == expected


def test_a_later_look_that_saw_less_takes_nothing_away(tmp_path: Path) -> None:
    over, begun = run("thread_1"), run("thread_1", status="in_progress", completed_at=None, usage=None)
    for first, second in ((over, begun), (begun, over)):
        spans, _ = imported(objects=[first, second])
        (outer,) = [span for span in spans if span.parent is None]
        assert (outer.attributes or {})["runspan.run.status"] == "completed"


def test_a_failed_call_before_any_time_is_told(tmp_path: Path) -> None:
    failed = {
        "request": {"method": "POST", "path": "/v1/threads/t/runs"},
        "response": {"status": 500, "body": "no"},
    }
    write_lines(tmp_path / "calls.jsonl", [failed, failed])
    _, report = imported(tmp_path)
    assert (report.runs, [fault.line for fault in report.faults]) == (0, [1, 2])


def test_nothing_is_told_that_only_a_live_client_knows() -> None:
    spans, _ = imported(objects=OBJECTS)
    told = {key for span in spans for key in span.attributes or {}}
    assert told & set(ONLY_LIVE) == set()
    assert {(span.attributes or {}).get("runspan.run.origin") for span in spans if span.parent is None} == {
        "imported"
    }


# ---------------------------------------------------------------- messages alone


def test_lines_of_messages_are_turns(tmp_path: Path) -> None:
    said = [("user", "Hi", 0), ("assistant", "Hello.", 2), ("user", "Bye", 10), ("assistant", "See you.", 13)]
    write_lines(
        tmp_path / "messages.ndjson",
        [
            {"thread_id": "t", "assistant_id": "asst_1", "message_id": f"m{n}", "role": role, "text": text, "created_at": A + at}
            for n, (role, text, at) in enumerate(said)
        ],
    )  # fmt: skip
    spans, report = imported(tmp_path)
    runs = [span for span in spans if span.name == "invoke_agent"]
    assert (report.runs, [span.status.status_code.name for span in runs]) == (2, ["UNSET", "UNSET"])
    assert [(span.end_time - span.start_time) // 10**9 for span in runs] == [2, 3]
    facts = [dict(span.attributes) for span in runs]
    assert [one["runspan.run.missing"] for one in facts] == [("run", "steps")] * 2
    assert not any("runspan.run.status" in one or "runspan.run.ended_at" in one for one in facts)
    chats = [json.loads(s.attributes["gen_ai.input.messages"]) for s in spans if s.name.startswith("chat")]
    assert [len(one) for one in chats] == [1, 3]


def test_messages_of_a_run_that_is_not_there_are_its_output() -> None:
    spans, report = imported(objects=thread("thread_1", 2)["messages"])
    ids = [s.attributes["runspan.run.id"] for s in spans if s.name == "invoke_agent"]
    assert (report.runs, ids) == (2, ["run_thread_1_0", "run_thread_1_1"])


def test_a_run_that_is_missing_beside_others_is_made_of_its_messages() -> None:
    export = thread("thread_1", 3)
    del export["runs"][1]
    spans, report = imported(objects=[export])
    assert report.runs == 3
    (lost,) = [s for s in spans if (s.attributes or {}).get("runspan.run.missing") == ("run", "steps")]
    assert (lost.attributes or {})["runspan.run.id"] == "run_thread_1_1"
    (chat,) = [s for s in spans if s.parent and s.parent.span_id == lost.context.span_id]
    assert "Answer 1." in str((chat.attributes or {})["gen_ai.output.messages"])
    assert "Question 2?" not in str(chat.attributes)


def test_answers_of_runs_that_are_not_there_are_kept_apart() -> None:
    """Without a question between them."""
    said = [message("t", n, "assistant", f"Answer {n}", A + n, f"run_{n // 2}") for n in range(4)]
    spans, _ = imported(objects=[message("t", 9, "user", "Hi", A - 1), *said])
    told = [str(s.attributes["gen_ai.output.messages"]) for s in spans if s.name.startswith("chat")]
    assert [[f"Answer {n}" in one for n in range(4)] for one in told] == [
        [True, True, False, False],
        [False, False, True, True],
    ]


def test_a_turn_begins_with_its_last_question() -> None:
    said = [message("t", 1, "user", "Hi", A), message("t", 2, "user", "Are you there?", A + 60)]
    spans, _ = imported(objects=[*said, message("t", 3, "assistant", "Yes.", A + 62, "run_x")])
    (outer,) = [s for s in spans if s.parent is None]
    assert (outer.start_time, outer.end_time) == ((A + 60) * 10**9, (A + 62) * 10**9)


def test_beside_runs_an_answer_that_names_none_is_no_run() -> None:
    unnamed = {**message("t", 1, "assistant", "Hello", A + 50), "assistant_id": "asst_1"}
    _, report = imported(objects=[run("t"), unnamed])
    assert report.runs == 1


def test_an_answer_that_was_stamped_behind_the_end_is_the_run_s() -> None:
    spans, _ = imported(objects=[run("t"), message("t", 1, "assistant", "Late", A + 9, "run_t_0")])
    (chat,) = [s for s in spans if s.name.startswith("chat")]
    assert "Late" in str(chat.attributes["gen_ai.output.messages"])


def test_a_later_look_without_a_stamp_keeps_the_place_in_time() -> None:
    second = message("t", 2, "user", "Second", A - 5)
    rows = [second, message("t", 1, "user", "First", A - 9), {**second, "created_at": None}, run("t")]
    spans, _ = imported(objects=rows)
    (chat,) = [s for s in spans if s.name.startswith("chat")]
    said = json.loads(str(chat.attributes["gen_ai.input.messages"]))
    assert [one["parts"][0]["content"] for one in said] == ["First", "Second"]


def test_what_could_not_be_added_is_told_each_time() -> None:
    _, report = imported(objects=[{"colour": "red"}, {"shape": "round"}, run("t")])
    assert (report.runs, report.left_out, len(report.faults)) == (1, 2, 2)


def test_conversation_items_are_turns() -> None:
    items = [
        {"id": "msg_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"id": "rs_1", "type": "reasoning", "summary": []},
        {"id": "msg_2", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ho"}]},
    ]  # fmt: skip
    conversation = {"id": "conv_1", "object": "conversation", "created_at": A}
    spans, report = imported(objects=[{"conversation": conversation, "items": items}])
    assert (report.runs, report.left_out) == (1, 0)
    attributes = spans[0].attributes
    assert attributes["gen_ai.conversation.id"] == "conv_1"
    assert "Hi" in attributes["gen_ai.input.messages"]
    assert "Ho" in attributes["gen_ai.output.messages"]


# ---------------------------------------------------------------- garbage

CUT = json.dumps(page([run("thread_cut"), run("thread_lost")]), indent=1)
GARBAGE: dict[str, tuple[str | bytes, list[tuple[int, str]]]] = {
    "empty.json": ("", [(1, "the file is empty")]),
    "words.txt": ("some words\nand more\n", [(1, "neither JSON nor JSON lines")]),
    "blank.json": ("\n \n" * 9, [(1, "the file is empty")]),
    "picture.png": (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", [(1, "not UTF-8")]),
    "archive.zip": (b"PK\x03\x04\x14\x00", [(0, "a zip archive: unpack it, and import the folder")]),
    "archive.tgz": (
        gzip.compress(b"threads/1.json".ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0")),
        [(0, "a tar archive: unpack it, and import the folder")],
    ),
    "packed.zst": (b"\x28\xb5\x2f\xfd\x24", [(0, "compressed by zstd: unpack it first")]),
    "half_a_pair.json": (b"\xff\xfe[\0\0\xd8", [(0, "not UTF-8")]),
    "bytes.json": (b'[\n{"object": "thread", "id": "thread_b"},\n{"a": "\xe9"}]', [(3, "not UTF-8; what follows is not read")]),
    "latin.jsonl": (b'{"object": "thread", "id": "thread_1"}\n{"a": "\xe9"}\n{"b": "\xe9"}', [(2, "not UTF-8 (2 times)")]),
    "traces.jsonl": ('{"resourceSpans": []}\n' * 3, [(1, "traces already, in OTLP: runspan replay sends them (3 times)")]),
    "step.json": (
        json.dumps([{"object": "thread.run.step", "id": f"step_{n}", "run_id": "run_z", "thread_id": "t"} for n in range(3)]),
        [(1, "run_z: 3 steps of a run that is in no archive")],
    ),
    "input.json": (
        json.dumps({"response": "resp_z", "input_items": []}),
        [(1, "resp_z: the input of a run that is in no archive")],
    ),
    "broken.gz": (b"\x1f\x8b\x08\x00garbage", [(0, "broken gzip data")]),
    "cut.json": (CUT[:-40], [(CUT[: CUT.rindex("thread.run")].count("\n") - 1, "broken JSON")]),
    "number.json": ("[1]", [(1, "no object, but int")]),
    "foreign.json": ('{"object": "chat.completion", "id": "x"}', [(1, "an object of an unknown kind: chat.completion")]),
    "unknown.json": ('{"colour": "red"}', [(1, "an unknown object with colour")]),
    "deep.json": ("[" * 100_000, [(1, "broken JSON: nested too deep")]),
    "items.json": ('{"data": [{"type": "message", "role": "user"}]}', [(1, "an item without its conversation")]),
    "homeless.json": ('{"object": "thread.run", "id": "run_x"}', [(1, "a run without a thread_id")]),
    "untimed.json": (
        '{"object": "thread.run", "id": "run_y", "thread_id": "t", "created_at": -1, "started_at": 0}',
        [(1, "run_y: a run without any time")],
    ),
    "lines.jsonl": (
        json.dumps(run("thread_good")) + '\n{"object": "thread.run",\n\nnull\n{"object": "thread.ru',
        [(2, "broken JSON"), (4, "no object, but NoneType"), (5, "the line is cut")],
    ),
}  # fmt: skip


@pytest.fixture
def garbage(tmp_path: Path) -> Path:
    layout(tmp_path)
    for name, (content, _) in GARBAGE.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / ".DS_Store").write_bytes(b"\xff")
    return tmp_path


def test_garbage_costs_one_line_each_and_all_that_is_good_is_there(
    garbage: Path, expected: list[Any]
) -> None:
    told: list[Fault] = []
    spans, report = imported(garbage, on_fault=told.append)
    due = sorted((name, line, reason) for name, (_, faults) in GARBAGE.items() for line, reason in faults)
    got = sorted((Path(fault.file).name, fault.line, fault.reason) for fault in told)
    assert [one[:2] for one in got] == [one[:2] for one in due]
    assert [
        reason for (*_, reason), (*_, start) in zip(got, due, strict=True) if not reason.startswith(start)
    ] == []
    assert report.left_out == len(due)
    good = [
        value for value in values(spans) if "thread_good" not in str(value) and "thread_cut" not in str(value)
    ]
    assert good == expected
    ids = {str(s.attributes.get("gen_ai.conversation.id")) for s in spans}
    assert {"thread_good", "thread_cut"} <= ids


def test_what_the_export_says_it_lacks_is_told_and_not_counted_as_left_out(tmp_path: Path) -> None:
    export = thread("thread_1")
    export["errors"] = [{"object": "run_steps", "id": "run_thread_1_0", "error": "not_found_or_expired"}]
    export["runs"][0]["steps"] = []
    export["runs"][0]["tools"] = [{"type": "code_interpreter"}]
    write(tmp_path / "thread.json", export)
    spans, report = imported(tmp_path)
    assert [str(fault) for fault in report.faults] == [
        f"{tmp_path}/thread.json:1: the export says that it lacks run_steps run_thread_1_0: not_found_or_expired"
    ]
    assert report.left_out == 0
    assert spans[-1].attributes["runspan.run.missing"] == ("steps",)


def test_hostile_values_of_every_field_cost_no_other_run() -> None:
    """Servers that imitate the API put anything anywhere."""
    odd: list[Any] = [
        None,
        -1,
        0,
        "",
        "x" * 5_000,
        [],
        {},
        [[]],
        {"a": {"b": []}},
        True,
        1e308,
        "\ud800",
        2**70,
    ]
    rng = random.Random(7)
    made = []
    for n in range(300):
        one = run(f"thread_{n}", at=A + n)
        for key in rng.sample([k for k in one if k not in ("id", "object", "thread_id", "created_at")], 4):
            one[key] = rng.choice(odd)
        made += [
            one,
            message(f"thread_{n}", 1, rng.choice(odd), rng.choice(odd), A, rng.choice([one["id"], None])),
        ]  # type: ignore[arg-type]
    _, report = imported(objects=made)
    assert (report.runs, report.left_out) == (300, 0)
