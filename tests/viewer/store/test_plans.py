"""Whatever the size of the store, no query of a list reads a whole table: SQLite's own plans say so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runspan.viewer.store import RunFilter, Store, rows

from ..runs import a_run
from ..wire import PROTOBUF, export

FILTERS = (
    RunFilter(), RunFilter(service="x"), RunFilter(user="ada"), RunFilter(name="Weather"), RunFilter(words="umbrella"),
    RunFilter(is_bad=True), RunFilter(sort="cost"),
)  # fmt: skip


def test_no_list_reads_a_whole_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []
    answer = Store._all

    def noted(store: Store, sql: str, values: Any) -> list[Any]:
        asked.append((sql, values))
        return answer(store, sql, values)

    with Store(tmp_path / "t.db") as store:
        store.add(rows.traces(export(*a_run(1, more={"session.id": "s1"})), PROTOBUF)).result(10)
        monkeypatch.setattr(Store, "_all", noted)
        (run,) = store.runs(RunFilter())
        store.choices()
        store.beside(run)
        store.find("umbrella tomorrow")
        store.find("0123abcd")
        store.groups_of_numbers(RunFilter(), [], 2_000)
        for of in FILTERS:
            store.page(of)
            store.traces(of=of)
        for column in ("thread", "session"):
            assert store.groups(column, RunFilter())
        steps = [
            (step[3], sql)
            for sql, values in asked
            for step in answer(store, f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    assert len(asked) > 20
    # A walk along an index ends with the page; one that groups goes to the end.
    assert [step for step in steps if re.match(r"SCAN (runs|spans|traces)(?! USING)", step[0])] == []
    assert [step for step in steps if step[0].startswith("SCAN") and "GROUP BY" in step[1]] == []
