"""The bench still fits the code it measures. Nothing here is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

TOOLS = Path(__file__).parents[1] / "tools"


class Keep(SpanProcessor):
    def __init__(self) -> None:
        self.names: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.names.append(span.name)


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TOOLS)


def test_a_whole_run_goes_through_the_door() -> None:
    from benches.door import Door, question

    kept = Keep()
    door = Door(kept, simulated=False)
    for call in door.whole_run(1, question(1)):
        door.take(call)
    door.emit_over()
    stats = door.handle.stats()
    assert (stats.started, stats.emitted, stats.live) == (1, 1, 0)
    assert kept.names == ["chat gpt-4o", "invoke_agent"]


def test_the_heavy_run_is_as_heavy_as_it_says() -> None:
    from benches.door import Door
    from benches.heavy import RECORDS, SPANS, records

    kept = Keep()
    door = Door(kept, simulated=False)
    made = list(records(door, 1))
    for record in made:
        door.take(record)
    door.emit_over()
    assert (len(made), len(kept.names)) == (RECORDS, SPANS)
    assert sum(name.startswith("execute_tool") for name in kept.names) == SPANS - 2


def test_a_row_beyond_its_budget_is_marked() -> None:
    from table import Row, draw

    rows = [
        Row("held", 1.5, "us", 2),
        Row("missed", 3, "us", 2, bare=0.25),
        Row("at least", 3, "", 2, at_least=True),
    ]
    assert [row.is_held for row in rows] == [True, False, True]
    assert draw(rows).splitlines()[2].split() == ["missed", "3", "us", "<=", "2", "0.25", "MISSED"]


def test_every_subject_has_rows() -> None:
    import importlib

    import bench

    for module in bench.SUBJECTS.values():
        assert callable(importlib.import_module(module).rows)


def test_what_is_printed_is_also_kept_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bench
    from table import Row

    monkeypatch.setattr(bench, "ROOT", tmp_path)
    assert bench._kept([Row("quick", 1.5, "us", 2), Row("slow", 3, "us", 2)]) == "build/bench.json"
    kept = json.loads((tmp_path / "build" / "bench.json").read_text("utf-8"))
    assert [(row["what"], row["value"], row["is_held"]) for row in kept["rows"]] == [
        ("quick", 1.5, True),
        ("slow", 3, False),
    ]
    assert {"python", "cores", "load", "packages"} <= kept["on"].keys()


def test_the_fetch_subject_finds_every_run_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from benches import fetching
    from runspan.fake import serve

    monkeypatch.setattr(fetching, "RUNS", 6)
    with serve("code_interpreter") as server:
        whole, median, worst = fetching._busy(server.base_url)
    assert (whole.value, whole.is_held) == (100, True)
    assert 0 < median.value <= worst.value
