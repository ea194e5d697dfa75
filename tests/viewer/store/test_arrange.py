"""Spans find their runs in whatever order and in whatever pieces they come, and each call is counted once."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from runspan.viewer.spans import Span
from runspan.viewer.store import RunFilter, Store, rows
from runspan.viewer.store.insert import rearrange
from runspan.viewer.store.schema import connect

from ..hand_made import operation, span
from ..runs import a_run
from ..wire import PROTOBUF, export
from .conftest import Put


def tokens(count: int) -> dict[str, int]:
    return {"gen_ai.usage.input_tokens": count, "gen_ai.usage.output_tokens": 0}


def agent(number: int, parent: int, name: str, own: int | None = None) -> Span:
    said = {"gen_ai.agent.name": name} | ({} if own is None else tokens(own))
    return span(
        number, parent, f"invoke_agent {name}", number, 100 - number, **operation("invoke_agent", said)
    )


def call(number: int, parent: int, count: int | None) -> Span:
    said = {"gen_ai.response.model": f"m{number}"} | ({} if count is None else tokens(count))
    return span(number, parent, "chat", number, 100 - number, **operation("chat", said))


def by_name(store: Store) -> dict[str, int | None]:
    return {run.name or run.model: run.tokens for run in store.runs(RunFilter())}


def test_an_agent_inside_an_agent_is_counted_once(store: Store, put: Put) -> None:
    put(
        agent(1, 0, "outer"), call(2, 1, 10), agent(3, 1, "inner"), call(4, 3, 5), agent(5, 3, "innermost", 3)
    )
    assert by_name(store) == {"outer": 18, "inner": 8, "innermost": 3}
    (trace,) = store.traces()
    assert (trace.tokens, trace.runs) == (18, 3)
    assert [run.outer is None for run in store.runs_of_trace(trace.trace)] == [True, False, False]


def test_an_agents_own_sums_do_not_count_beside_those_of_its_calls(store: Store, put: Put) -> None:
    put(agent(1, 0, "repeats", own=15), call(2, 1, 10), call(3, 1, 5), agent(4, 0, "alone", own=7))
    assert by_name(store) == {"repeats": 15, "alone": 7}
    assert store.traces()[0].tokens == 22


def test_a_call_inside_a_call_is_the_same_call_seen_twice(store: Store, put: Put) -> None:
    put(agent(1, 0, "run"), call(2, 1, 10), span(3, 2, "http", 3, 4), call(4, 3, 10))
    put(call(5, 0, 20), call(6, 5, 20))  # outside of any run
    put(agent(7, 0, "silent outer"), call(8, 7, None), call(9, 8, 30))  # the outer one tells nothing
    assert by_name(store) == {"run": 10, "m5": 20, "silent outer": 30}
    assert store.traces()[0].tokens == 60


KINDS = ("run", "llm", "silent", "tool", "plain")


@st.composite
def trees(draw: st.DrawFn) -> list[Span]:
    """Up to 14 spans of all kinds, each below an earlier one, below nothing, or below one that never comes."""
    made: list[Span] = []
    for number in range(1, draw(st.integers(1, 14)) + 1):
        parent = draw(st.sampled_from([0, 99, *range(1, number), *range(max(1, number - 2), number)]))
        kind = draw(st.sampled_from(KINDS))
        count = draw(st.sampled_from([None, 1, 10, 100]))
        made.append(
            agent(number, parent, f"a{number}", count)
            if kind == "run"
            else call(number, parent, None if kind == "silent" else count)
            if kind in ("llm", "silent")
            else span(
                number, parent, kind, number, 99, **operation("execute_tool" if kind == "tool" else "x")
            )
        )
    return made


def seen(store: Store) -> tuple[object, ...]:
    """Everything of the store that does not depend on the ids of rows."""
    runs = sorted(run._replace(outer=run.outer and 1) for run in store.runs(RunFilter(), limit=100))
    belongs = store.select(
        "SELECT spans.span, runs.span, in_call FROM spans LEFT JOIN runs ON runs.id = run ORDER BY spans.span"
    )
    return runs, store.traces(), belongs


@given(trees(), st.data())
def test_order_and_pieces_of_arrival_change_nothing(spans: list[Span], data: st.DataObject) -> None:
    order = data.draw(st.permutations(spans))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(spans) - 1)), max_size=6)))
    groups = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    with TemporaryDirectory() as folder:
        found = []
        for name, batches in (("at once", [spans]), ("in pieces", groups)):
            with Store(Path(folder) / f"{name}.db") as store:
                for batch in batches:
                    if batch:
                        store.add(rows.traces(export(*batch), PROTOBUF)).result(10)
                found.append(seen(store))
        assert found[0] == found[1]


def test_what_is_sent_again_changes_nothing_and_what_is_sent_anew_does(store: Store, put: Put) -> None:
    spans = a_run(1)
    put(*spans)
    before = seen(store)
    put(*spans[1:3])
    put(*spans)
    assert seen(store) == before
    put(*a_run(1, tokens=(500, 1))[2:3])
    assert store.runs(RunFilter())[0].input_tokens == 500
    assert store.traces()[0].tokens == 501
    assert store.count_spans() == 4


def test_work_for_one_more_span_does_not_grow_with_its_trace(tmp_path: Path) -> None:
    """Counted in steps of SQLite's machine: a run with a call and a tool more, in a trace of 50 and one of 4,000 spans."""
    steps = []
    for size in (50, 4_000):
        with Store(tmp_path / f"{size}.db") as store:
            many = [agent(1, 0, "run"), *(call(n, 1, 1) for n in range(2, 12))]
            many += [span(n, 1 + n % 11, "step", 5, 6) for n in range(12, size)]
            for at in range(0, len(many), 500):
                store.add(rows.traces(export(*many[at : at + 500]), PROTOBUF)).result(30)
        db = connect(tmp_path / f"{size}.db")
        count = [0]

        def one_more(count: list[int] = count) -> int:
            count[0] += 1
            return 0

        db.set_progress_handler(one_more, 100)
        from runspan.viewer.store.insert import insert

        insert(db, rows.traces(export(call(90_001, 1, 1), span(90_002, 1, "t", 1, 2)), PROTOBUF))
        db.close()
        steps.append(count[0])
    assert steps[1] < 2 * steps[0] + 20


def test_a_store_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with Store(path) as store:
        store.add(rows.traces(export(*a_run(1), *a_run(2, status="failed")[:2]), PROTOBUF)).result(10)
        before = seen(store)
    db = sqlite3.connect(path)
    for index in (
        *("spans_by_parent", "runs_of_trace", "runs_by_bad", "runs_by_service", "runs_by_run_id"),
        "traces_by_service",
    ):
        db.execute(f"DROP INDEX {index}")
    for table, columns in {
        "spans": ["in_call"], "runs": ["uncertainty_s", "is_bad", "outer", "calls"], "traces": ["root", "sums", "is_kept"],
    }.items():  # fmt: skip
        for column in columns:
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    with Store(path) as store:
        assert [run.is_bad for run in sorted(store.runs(RunFilter()))] == [0, 1]
        store.add(rows.traces(export(a_run(2)[2]), PROTOBUF)).result(10)
        assert {run.trace: run.tokens for run in store.runs(RunFilter())} == {
            f"{1:032x}": 138,
            f"{2:032x}": 138,
        }
        db = connect(path)
        rearrange(db, bytes.fromhex(f"{1:032x}"))
        db.close()
        assert [one for one in seen(store)[0] if one.trace == f"{1:032x}"] == [
            one for one in before[0] if one.trace == f"{1:032x}"
        ]  # type: ignore[attr-defined]
