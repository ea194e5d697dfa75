from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from runspan.viewer.spans import Span
from runspan.viewer.store import Bounds, RunFilter, Store, StoreFullError, rows
from runspan.viewer.store.schema import NotOurFileError

from ..hand_made import messages, observed, operation, span
from ..runs import a_run
from ..wire import PROTOBUF, export
from .conftest import Put


def test_spans_come_back_as_they_were_sent(store: Store, put: Put) -> None:
    sent = a_run(7)
    put(*sent)
    assert tuple(store.spans(f"{7:032x}")) == sent
    assert store.span(sent[2].trace_id, sent[2].span_id) == sent[2]


def test_a_run_has_the_sums_of_its_model_calls(store: Store, put: Put) -> None:
    put(*a_run(1, "What is 17 * 23?", "391", more={"session.id": "s1", "user.id": "ada"}))
    (run,) = store.runs(RunFilter())
    assert (run.sort, run.name, run.model, run.status) == ("run", "Weather", "gpt-4o-2024", "completed")
    assert (run.input_tokens, run.output_tokens, run.tokens, run.cost, run.tools) == (120, 18, 138, 0.0125, 1)
    assert (run.queue_s, run.active_s, run.tool_wait_s, run.lag_s, run.polls) == (0.25, 1.0, 0.5, 0.1, 4)
    assert (run.thread, run.session, run.user, run.run_id) == ("thread_1", "s1", "ada", "run_1")
    assert (run.question, run.answer, run.duration_ns) == ("What is 17 * 23?", "391", 1_750_000_000)


def test_a_session_that_only_repeats_the_thread_is_none(store: Store, put: Put) -> None:
    put(*a_run(1))
    assert store.runs(RunFilter())[0].session == ""


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_the_order_of_arrival_changes_nothing(tmp_path: Path, order: tuple[int, ...]) -> None:
    spans = a_run(1)
    found = []
    for name, groups in (("at_once", [spans]), ("one_by_one", [[spans[at]] for at in order])):
        with Store(tmp_path / f"{name}.db") as store:
            for group in groups:
                store.add(rows.traces(export(*group), PROTOBUF)).result(10)
            of_run = {s.span_id for s in store.run_spans(spans[1].trace_id, spans[1].span_id)}
            found.append((store.runs(RunFilter()), store.traces(), of_run))
    assert found[0] == found[1]
    assert found[0][2] == {span.span_id for span in spans[1:]}


def test_a_span_sent_twice_is_there_once_and_the_later_one_counts(store: Store, put: Put) -> None:
    spans = a_run(1, answer="first")
    put(*spans)
    put(*a_run(1, answer="second"), spans[3])
    assert store.count_runs(RunFilter()) == 1
    assert store.runs(RunFilter())[0].answer == "second"
    assert len(store.spans(spans[0].trace_id)) == store.count_spans() == 4
    assert [store.count_runs(RunFilter(words=word)) for word in ("first", "second")] == [0, 1]


def test_a_model_call_outside_of_any_run_is_a_row_of_its_own(store: Store, put: Put) -> None:
    call = {"gen_ai.request.model": "gpt-4o", "gen_ai.input.messages": messages(("user", "hello"))}
    put(span(1, 0, "handler", 0, 9), span(2, 1, "chat gpt-4o", 1, 8, **operation("chat", call)))
    (run,) = store.runs(RunFilter())
    assert (run.sort, run.model, run.status, run.question) == ("llm", "gpt-4o", "ok", "hello")


def test_circles_of_parents_and_parents_that_never_come_are_no_trouble(store: Store, put: Put) -> None:
    put(
        span(1, 2, "a", 0, 1),
        span(2, 1, "b", 0, 1),
        span(3, 3, "own parent", 0, 1),
        span(4, 99, "lost", 0, 1),
    )
    put(span(5, 1, "chat", 0, 1, **operation("chat")))
    (trace,) = store.traces()
    assert (trace.spans, trace.runs) == (5, 1)


def test_times_beyond_what_sqlite_can_hold_are_cut(store: Store, put: Put) -> None:
    put(replace(span(1, 0, "late", 0, 1), start_ns=2**64 - 1, end_ns=2**64 - 1))
    assert store.traces()[0].start_ns == 2**63 - 1
    assert store.spans(f"{1:032x}")[0].start_ns == 2**64 - 1


def many(store: Store) -> None:
    for n in range(1, 7):
        facts = {
            "status": "failed" if n % 3 == 0 else "completed",
            "queue_s": n / 10,
            "more": {"gen_ai.agent.name": f"A{n % 2}", "user.id": f"u{n % 2}", "session.id": "s1"},
        }
        spans = a_run(
            n,
            f"question {n} über Zoë",
            f"answer number{n}",
            at_ms=1000 * n,
            tokens=(100 * (7 - n), 1),
            **facts,
        )
        store.add(rows.traces(export(*spans), PROTOBUF)).result(10)


def numbers(store: Store, of: RunFilter, **page: int) -> list[int]:
    return [int(run.run_id.removeprefix("run_")) for run in store.runs(of, **page)]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (RunFilter(), [6, 5, 4, 3, 2, 1]),
        (RunFilter(is_ascending=True), [1, 2, 3, 4, 5, 6]),
        (RunFilter(status="failed"), [6, 3]),
        (RunFilter(name="A1"), [5, 3, 1]),
        (RunFilter(user="u0", status="completed"), [4, 2]),
        (RunFilter(sort="queue"), [6, 5, 4, 3, 2, 1]),
        (RunFilter(sort="tokens"), [1, 2, 3, 4, 5, 6]),
        (RunFilter(model="nobody"), []),
        (RunFilter(words="number4"), [4]),
        (RunFilter(words="numb"), [6, 5, 4, 3, 2, 1]),
        (RunFilter(words='"answer number4"'), [4]),
        (RunFilter(words="uber zoe 5"), [5]),
        (RunFilter(words="run_3"), [3]),
        (RunFilter(words="nothing like it"), []),
        (RunFilter(words='" * OR NEAR( ^ -:'), []),
        (RunFilter(words="answer", status="failed", sort="tokens"), [3, 6]),
    ],
    ids=str,
)
def test_runs_are_filtered_found_and_sorted(store: Store, of: RunFilter, expected: list[int]) -> None:
    many(store)
    assert numbers(store, of) == expected
    assert store.count_runs(of) == len(expected)


def test_runs_come_in_pages(store: Store) -> None:
    many(store)
    assert numbers(store, RunFilter(), limit=2, offset=2) == [4, 3]
    assert store.choices() == {
        "status": ["completed", "failed"],
        "name": ["A0", "A1"],
        "model": ["gpt-4o-2024"],
        "service": ["math-tutor"],
        "user": ["u0", "u1"],
    }


def test_groups_have_sums_and_are_sorted_and_filtered(store: Store) -> None:
    many(store)
    every = RunFilter()
    assert [(row.name, row.runs, row.bad, row.tokens) for row in store.groups("user", every)] == [
        ("u0", 3, 1, 903),
        ("u1", 3, 1, 1203),
    ]
    assert [row.first.run_id for row in store.groups("user", every)] == ["run_2", "run_1"]
    assert [row.name for row in store.groups("user", every, "tokens")] == ["u1", "u0"]
    assert [row.name for row in store.groups("user", every, "tokens", is_ascending=True)] == ["u0", "u1"]
    assert [row.name for row in store.groups("user", every, limit=1, offset=1)] == ["u1"]
    assert [
        (row.name, row.runs) for row in store.groups("user", RunFilter(is_bad=True, words="number6"))
    ] == [("u0", 1)]
    assert store.groups("user", RunFilter(words="nothing like it")) == []


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (RunFilter(is_bad=True), [6, 3]),
        (RunFilter(service="math-tutor", is_bad=True, sort="tokens"), [3, 6]),
        (RunFilter(min_duration_ns=1_750_000_001), []),
        (RunFilter(attribute="gen_ai.agent.name=A1"), [5, 3, 1]),
        (RunFilter(attribute="openinference.span.kind=NONE"), []),
        (RunFilter(words="A1 gpt 4o"), []),  # a span has all words, and the assistant's name is the run's
        (RunFilter(words="A1"), [5, 3, 1]),
        (RunFilter(words="math-tutor number4"), [4]),
        (RunFilter(words="execute_tool get_weather"), [6, 5, 4, 3, 2, 1]),
    ],
    ids=str,
)
def test_errors_services_durations_and_attributes_are_filtered(
    store: Store, of: RunFilter, expected: list[int]
) -> None:
    many(store)
    assert numbers(store, of) == expected


def test_traces_are_filtered_and_sorted_and_know_their_question(store: Store) -> None:
    many(store)
    found = store.traces(of=RunFilter(is_bad=True))
    assert [(row.trace[-1], row.question, row.assistant, row.status) for row in found] == [
        ("6", "question 6 über Zoë", "A0", "failed"),
        ("3", "question 3 über Zoë", "A1", "failed"),
    ]
    assert [row.trace[-1] for row in store.traces(sort="tokens")] == list("123456")
    assert [row.trace[-1] for row in store.traces(of=RunFilter(name="A1"), is_ascending=True)] == list("135")
    assert [
        row.trace[-1] for row in store.traces(of=RunFilter(attribute="gen_ai.agent.name=A0"), limit=2)
    ] == ["6", "4"]


def test_ids_are_found(store: Store) -> None:
    many(store)
    trace = f"{3:032x}"
    assert store.find(trace.upper()) == ("trace", trace, "")
    assert store.find("run_3") == ("span", trace, f"{2:016x}")
    assert store.find(" s1 ") == ("session", "s1", "")
    assert store.find("thread_1") == ("thread", "thread_1", "")
    assert [store.find(name) for name in ("", "f" * 32, "g" * 32, "f" * 16, "words of a search")] == [
        None
    ] * 5


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"INFO [trace_id={7:032x} span_id={2:016x}] sent", ("trace", f"{7:032x}", "")),
        (f"00-{7:032x}-{2:016x}-01", ("trace", f"{7:032x}", "")),
        (f"0x{7:032x}", ("trace", f"{7:032x}", "")),
        ("00000000-0000-0000-0000-000000000007", ("trace", f"{7:032x}", "")),
        (f"span {'a' * 15}7 of another service", ("span", f"{'b' * 31}7", f"{'a' * 15}7")),
        (f"{'b' * 8}…", ("trace", f"{'b' * 31}7", "")),
        ("the run run_00007 has failed", ("span", f"{7:032x}", f"{2:016x}")),
        ("thread=thread_1 done", ("thread", "thread_1", "")),
        ("0" * 31, None),  # the beginning of two
        ("b" * 7, None),
        ("s1 of a visit", None),  # a session's id is any word
        ("a_longish_word " * 30 + f"{7:032x}", ("trace", f"{7:032x}", "")),
        ("a_longish_word " * 30 + "run_00007", None),  # a line with so many words is a text
    ],
)
def test_ids_in_a_line_of_a_log_are_found(
    store: Store, put: Put, line: str, found: tuple[str, str, str] | None
) -> None:
    other = span(1, 0, "GET /", 0, 1)
    put(
        *a_run(7, more={"runspan.run.id": "run_00007"}),
        *a_run(8),
        replace(other, trace_id=f"{'b' * 31}7", span_id=f"{'a' * 15}7"),
    )
    assert store.find(line) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [("出差的住宿标准是多少？", "住宿标准"), ("สวัสดีครับ", "ดีครับ"), ("ما حالة الطقس", "الطقس")],
)
def test_words_are_found_in_scripts_without_blanks(store: Store, put: Put, text: str, words: str) -> None:
    put(*a_run(1, text))
    put(*a_run(2, "标住 نعم"))
    assert numbers(store, RunFilter(words=words)) == [1]


def test_of_a_conversation_only_the_run_is_found_in_which_it_was_said(store: Store, put: Put) -> None:
    put(*a_run(1, "one heron", "noted"))
    put(*a_run(2, "two swifts", "also noted", earlier=(("user", "one heron"), ("assistant", "noted"))))
    assert numbers(store, RunFilter(words="heron")) == [1]


def test_the_file_is_its_owners_alone(store: Store, put: Put) -> None:
    put(*a_run(1))
    for path in store.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database at all, but long enough to be taken for one" * 20)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(NotOurFileError, match="--db"):
            Store(path)
        assert path.read_bytes() == before


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(NotOurFileError, match="another version"):
        Store(path)


def test_more_than_may_wait_is_refused(tmp_path: Path) -> None:
    batch = rows.traces(export(*a_run(1)), PROTOBUF)
    with Store(tmp_path / "traces.db", Bounds(waiting_bytes=1)) as store:
        accepted, refused = [], 0
        for _ in range(200):
            try:
                accepted.append(store.add(batch))
            except StoreFullError:  # noqa: PERF203
                refused += 1
        assert refused
        for done in accepted:
            done.result(10)
    with pytest.raises(StoreFullError):
        store.add(batch)


def test_a_group_that_can_not_be_written_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("runspan.viewer.store.insert._Insertion._put_trace", broken)
        with pytest.raises(sqlite3.OperationalError):
            store.add(rows.traces(export(*a_run(1)), PROTOBUF)).result(10)
    assert (store.count_traces(), store.count_runs(RunFilter())) == (0, 0)
    store.add(rows.traces(export(*a_run(1)), PROTOBUF)).result(10)
    assert store.count_traces() == 1


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.viewer.runs import a_run
from tests.viewer.wire import export
from runspan.viewer.store import Store, rows
store = Store(sys.argv[1])
for n in range(1, 100_000):
    store.add(rows.traces(export(*a_run(n)), "application/x-protobuf")).result()
    print(n, flush=True)
"""


def test_a_killed_writer_has_kept_every_acknowledged_span(tmp_path: Path) -> None:
    path, home = tmp_path / "traces.db", Path(__file__).parents[3]
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(path), str(home)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(60)]
    child.kill()
    acknowledged += [int(line) for line in child.stdout.read().split()]
    child.wait()
    child.stdout.close()
    assert os.path.getsize(path) > 0
    with Store(path) as store:
        assert store.select("PRAGMA integrity_check") == [("ok",)]
        kept = set(numbers(store, RunFilter(), limit=100_000))
        assert set(acknowledged) <= kept
        assert store.count_spans() == 4 * len(kept)


def test_a_store_can_be_read_while_another_process_writes(store: Store, put: Put) -> None:
    with Store(store.path, is_read_only=True) as reader:
        before = reader.version()
        put(*a_run(1))
        assert reader.version() != before
        assert reader.count_runs(RunFilter()) == 1
        with pytest.raises(ValueError, match="reading only"):
            reader.add(rows.Batch())


def test_other_conventions_are_read_too(store: Store, put: Put) -> None:
    openinference = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "claude",
        "llm.token_count.prompt": 10,
        "llm.token_count.completion": 5,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "hello",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.contents.0.message_content.text": "hi there",
    }
    put(span(1, 0, "agent", 0, 9, attributes={"openinference.span.kind": "AGENT"}))
    put(span(2, 1, "ChatCompletion", 1, 8, attributes=openinference))
    (run,) = store.runs(RunFilter())
    assert (run.sort, run.name, run.model, run.tokens) == ("run", "agent", "claude", 15)
    assert (run.question, run.answer) == ("hello", "hi there")


def test_attributes_of_any_type_are_kept(store: Store, put: Put) -> None:
    odd: Span = span(1, 0, "odd", 0, 1, attributes={
        "text": "ä", "int": -(2**63), "float": 1.5, "bytes": b"\x00\xff", "list": [1, "a", [True]], "map": {"a": {"b": 1}},
        "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "many", "gen_ai.input.messages": "[[[",
        "gen_ai.output.messages": [{"role": 5, "parts": {"a": 1}}], "gen_ai.usage.cost": -1.0,
    })  # fmt: skip
    put(odd)
    assert store.spans(odd.trace_id) == [odd]
    assert store.runs(RunFilter())[0].tokens is None


def test_observed_functions_are_no_runs(store: Store, put: Put) -> None:
    put(span(1, 0, "f", 0, 1, **observed(input_value="x")))
    assert (store.count_runs(RunFilter()), store.count_traces()) == (0, 1)
    assert store.traces("x")[0].name == "f"


def test_a_lone_surrogate_that_json_escapes_keeps_nobody_from_the_store(store: Store, put: Put) -> None:
    """Models return them, and senders escape them inside of an attribute's JSON."""
    put(*a_run(1), *a_run(2))
    lone = a_run(3, "y")
    call = replace(
        lone[2],
        attributes={
            **lone[2].attributes,
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "lone \\ud800 日本 surrogate"}]}]',
        },
    )
    put(*(call if span is lone[2] else span for span in lone))
    assert store.count_runs(RunFilter()) == 3
    assert [run.trace for run in store.runs(RunFilter(words="surrogate"))] == [f"{3:032x}"]


def test_a_sender_that_waits_no_longer_keeps_nobody_from_the_store(store: Store) -> None:
    busy = sqlite3.connect(store.path, isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    first = store.add(rows.traces(export(*a_run(1)), PROTOBUF))
    assert not first.cancel()
    busy.execute("ROLLBACK")
    busy.close()
    store.add(rows.traces(export(*a_run(2)), PROTOBUF)).result(30)
    assert store.count_runs(RunFilter()) == 2
