from __future__ import annotations

from dataclasses import replace

import pytest

from runspan.viewer import forest
from runspan.viewer.spans import Event
from runspan.viewer.web import comparing
from runspan.viewer.web.plain import MAX_SHOWN, visible
from runspan.viewer.web.render import count, dotted, money, page, pretty, query_part, took, when
from runspan.viewer.web.waterfall import MAX_LEVEL, PAGE_ROWS, phases, scale_ns, waterfall

from ..hand_made import TEN_O_CLOCK_NS, operation, run, span
from ..runs import a_run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x07", "␛[31mred␇"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("\x7f\x85", "␡‹U+0085›"),
        ("abc\u202egnp.exe", "abc‹U+202E›gnp.exe"),
        ("\u2066iso\u2069", "‹U+2066›iso‹U+2069›"),
        ("hidden\U000e0041", "hidden‹U+E0041›"),
        ("lone \ud800", "lone \ufffd"),
        ("من\u200cهم", "من\u200cهم"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("z" + "\u0301" * 50, "z" + "\u0301" * 4),
        ("é", "é"),
    ],
)
def test_what_acts_or_hides_is_made_visible(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_texts_without_end_are_cut_with_a_mark() -> None:
    assert len(visible("x" * 10_000_000)) < MAX_SHOWN + 100
    assert "9,900,000 characters more" in visible("x" * 10_000_000)


def test_numbers_read_well() -> None:
    assert [count(None), count(0), count(1234567)] == ["–", "0", "1,234,567"]
    assert [money(value) for value in (None, 0, 0.0000004, 0.0125, 12.5)] == [
        "–",
        "$0",
        "$0.00000040",
        "$0.0125",
        "$12.50",
    ]
    assert [took(None), took(0.25), took(75)] == ["–", "250 ms", "75.00 s"]
    assert when(0) == "–"
    assert "2554-07-21" in when(2**64 - 1)
    assert 'datetime="2026-01-05T10:00:00.000Z"' in when(TEN_O_CLOCK_NS)
    assert pretty('{"a":1}') == '{\n  "a": 1\n}'
    assert dotted("a.b<i>.c") == "a.<wbr>b&lt;i&gt;.<wbr>c"
    assert pretty("no { json") == "no { json"
    assert query_part("a b/?&#ä\ud800") == "a%20b%2F%3F%26%23%C3%A4%3F"


def test_templates_escape_whatever_they_print() -> None:
    shown = page("compare_none.html", endpoint="", path='"><script>', url="<x>", live='"><script>', tab="")
    assert "<script>" not in shown


def test_a_runs_bar_shows_its_phases() -> None:
    (trace,) = forest.grow(a_run(1))
    row = next(row for row in waterfall(trace).rows if row.kind == "run")
    assert [piece.kind for piece in row.pieces] == ["queue", "active", "wait", "active", "lag"]
    assert [round(piece.seconds, 3) for piece in row.pieces] == [0.25, 0.25, 0.5, 0.75, 0.1]
    ends = [piece.left + piece.width for piece in row.pieces]
    assert all(abs(end - piece.left) < 0.01 for end, piece in zip(ends, row.pieces[1:], strict=False))


def test_a_run_without_events_goes_by_its_sums() -> None:
    one = span(1, 0, "invoke_agent", 0, 1000, **run(queue_s=0.4))
    assert [(kind, (end - start) / 1e9) for kind, start, end in phases(one)] == [
        ("queue", 0.4),
        ("active", 0.6),
    ]


@pytest.mark.parametrize(
    ("took_ms", "axis_ms"), [(1, 1), (1510, 2000), (1500, 1500), (590, 600), (8000, 10000), (7, 7.5)]
)
def test_the_axis_has_round_ticks(took_ms: float, axis_ms: float) -> None:
    assert scale_ns(int(took_ms * 1e6)) == int(axis_ms * 1e6)


def test_bars_stay_inside_whatever_the_times() -> None:
    odd = (
        span(1, 0, "root", 0, 1000),
        span(2, 1, "before", -500, 10),
        span(3, 1, "after", 900, 5000),
        span(4, 1, "backwards", 800, 100),
        span(5, 1, "no length", 1000, 1000),
        span(6, 1, "run", 0, 10, **run(queue_s=1e300, detection_lag_s=1e300)),
    )
    (trace,) = forest.grow(odd)
    view = waterfall(trace)
    for row in view.rows:
        for piece in row.pieces:
            assert 0 <= piece.left <= 100
            assert piece.width > 0
            assert piece.left + piece.width <= 100.001


def test_a_trace_without_end_comes_in_pages_of_rows() -> None:
    (trace,) = forest.grow(span(n, 0 if n == 1 else 1, "x", 0, 1) for n in range(1, 2 * PAGE_ROWS + 101))
    pages = [waterfall(trace, first=first) for first in (0, PAGE_ROWS, 2 * PAGE_ROWS)]
    assert [(view.first, view.last, view.total) for view in pages] == [
        (0, PAGE_ROWS, 2 * PAGE_ROWS + 100),
        (PAGE_ROWS, 2 * PAGE_ROWS, 2 * PAGE_ROWS + 100),
        (2 * PAGE_ROWS, 2 * PAGE_ROWS + 100, 2 * PAGE_ROWS + 100),
    ]
    ids = [row.id for view in pages for row in view.rows]
    assert len(ids) == len(set(ids)) == 2 * PAGE_ROWS + 100


def test_a_deep_tree_keeps_its_depth_beyond_the_indentation() -> None:
    (trace,) = forest.grow(span(n, n - 1, f"level {n}", 0, 1) for n in range(1, 41))
    rows = waterfall(trace).rows
    assert [row.depth for row in rows] == list(range(40))
    assert max(row.level for row in rows) == MAX_LEVEL


def test_the_bars_of_bad_runs_and_their_badges_are_bad() -> None:
    (trace,) = forest.grow(
        (*a_run(1, status="failed"), span(9, 1, "late", 0, 1, **run(unfinished="shutdown")))
    )
    tones = {row.name: (row.badge, row.tone) for row in waterfall(trace).rows if row.kind == "run"}
    assert tones == {"invoke_agent Weather": ("failed", "bad"), "late": ("end not seen", "bad")}


def test_events_are_marks_on_the_bar_and_changes_of_status_are_none() -> None:
    events = (
        Event("exception", TEN_O_CLOCK_NS + 5_000_000),
        Event("first_token", TEN_O_CLOCK_NS + 2_000_000),
        Event("thread.run.queued", TEN_O_CLOCK_NS, {"runspan.run.status": "queued"}),
        Event("outside", TEN_O_CLOCK_NS + 50_000_000),
    )
    (trace,) = forest.grow([replace(span(1, 0, "x", 0, 10), events=events)])
    (row,) = waterfall(trace).rows
    assert [(mark.kind, mark.left) for mark in row.marks] == [("bad", 50.0), ("token", 20.0)]


def test_tool_calls_of_the_same_name_stand_beside_each_other() -> None:
    from runspan.viewer.web.results import tools

    def calls(*names: str) -> list[comparing.Tool]:
        spans = [
            span(n, 0, name, n, n + 1, **operation("execute_tool", {"gen_ai.tool.name": name}))
            for n, name in enumerate(names, 1)
        ]
        return tools(spans)

    pairs = comparing.tools(calls("a", "b", "c"), calls("a", "c", "d"))
    assert [(x and x.name, y and y.name) for x, y in pairs] == [
        ("a", "a"),
        ("b", None),
        ("c", "c"),
        (None, "d"),
    ]


def test_long_answers_are_not_compared_word_by_word() -> None:
    long = "a " * 5_000
    assert comparing.words(long, "b") == ([(long, False)], [("b", False)])
    assert comparing.words("", "b") == ([("", False)], [("b", False)])


def test_a_change_of_less_than_half_a_percent_is_none() -> None:
    pairs = ((100.0, 100.4), (100.0, 99.6), (100.0, 101.0), (100.0, 50.0), (0.0, 1.0), (0.0, 0.0))
    assert [comparing.change(*pair) for pair in pairs] == ["same", "same", "+1 %", "−50 %", "new", "same"]
