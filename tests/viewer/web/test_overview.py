"""The overview shows the numbers of `runspan stats`, drawn as SVG."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from runspan.viewer import Viewer
from runspan.viewer.store import RunFilter
from runspan.viewer.store.numbers import totals
from runspan.viewer.web.charts import HEIGHT, WIDTH, columns, histogram

from ..runs import a_run
from ..wire import Answer
from .test_pages import plain

Get = Callable[[str], Answer]
Send = Callable[..., None]
DAY_MS = 86_400_000


def test_the_page_has_the_numbers_of_the_store(viewer: Viewer, get: Get, send: Send) -> None:
    for n in range(1, 6):
        more = {"gen_ai.agent.name": f"A{n % 2}", "user.id": "ada"}
        send(*a_run(n, at_ms=n * DAY_MS, status="failed" if n == 2 else "completed", more=more))
    whole = totals(viewer.store.groups_of_numbers(RunFilter(), ["assistant"]))
    said = plain(get("/overview"))
    assert f"Runs {whole.runs} Errors {whole.failed} 20.0 %" in said
    assert "p95 duration 1.75 s" in said
    assert "600 in 90 out" in said
    assert "$0.0625" in said
    for title in (
        "Runs and errors",
        "Duration",
        "Time in the queue",
        "Tokens",
        "Cost",
        "By assistant",
        "By model",
        "By user",
    ):
        assert title in said, title
    page = get("/overview?name=A0").text
    assert 'Overview</h1><span class="muted">2 runs' in page
    assert 'href="/?name=A0&amp;errors=1"' in page
    assert "No run matches" in plain(get("/overview?name=nobody"))


def test_each_day_leads_to_its_runs(get: Get, send: Send) -> None:
    for n in range(1, 5):
        send(*a_run(n, f"question {n}", at_ms=n * DAY_MS))
    page = get("/overview").text
    days = re.findall(r'<a href="(/\?day=20\d\d-\d\d-\d\d)"', page)
    assert {f"/?day=2026-01-0{n}" for n in (6, 7, 8, 9)} <= set(days)
    assert len(days) == 14
    assert re.findall(r"question (\d)</span>", get("/?day=2026-01-07").text) == ["2"]


@pytest.mark.parametrize("values", [{}, {"a": {"x": 0.0}}, {"a": {"x": 1.0, "y": 3.0}, "b": {"x": 8.0}}])
def test_columns_stay_inside_their_picture(values: dict[str, dict[str, float]]) -> None:
    chart = columns("t", values, dict.fromkeys(values, ""), "")
    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        for _, y, height in bar.parts:
            assert -0.01 <= y <= y + height <= HEIGHT + 0.01


@pytest.mark.parametrize("seconds", [[0.0], [1.0, 1.0], [1e-9, 1e9], [0.1, 0.2, 0.4, 5.0]])
def test_a_histogram_holds_every_run_once(seconds: list[float]) -> None:
    chart = histogram("t", seconds, {"p50": seconds[0], "far": 1e12}, {"low": "", "high": ""})
    assert sum(int(bar.value.split()[0].replace(",", "")) for bar in chart.bars) == len(seconds)
    assert all(0 <= x <= WIDTH for x, _ in chart.marks)


def test_the_tables_sort_by_each_column(get: Get, send: Send) -> None:
    for n, first in enumerate((0.2, None, 0.9, 0.5), 1):
        more = {"gen_ai.agent.name": f"A{n}"} | (
            {"gen_ai.response.time_to_first_chunk": first} if first else {}
        )
        send(*a_run(n, more=more, tokens=(n, n)))

    def assistants(query: str) -> str:
        table = get(f"/overview?{query}").text.partition("By assistant")[2].partition("</table>")[0]
        return "".join(re.findall(r"<bdi>A(\d)</bdi>", table))

    assert assistants("sort=first_token") == "3412"  # who has none comes last
    assert assistants("sort=first_token&order=asc") == "1432"
    assert assistants("sort=tokens_in") == "4321"
    assert assistants("sort=nonsense") == "1234"
    head = get("/overview?sort=first_token").text
    assert 'aria-sort="descending"' in head
    assert 'href="/overview?sort=first_token&amp;order=asc#by-model"' in head
    assert "slowest first token first" in head


def test_a_sum_without_some_prices_says_so_on_both_pages(get: Get, send: Send) -> None:
    send(*a_run(1), *(one for one in a_run(2) if not one.name.startswith("chat")))
    for path in ("/overview", "/"):
        assert "≥ $0.0125" in plain(get(path))
