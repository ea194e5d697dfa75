"""The drawn tree: whole expected drawings in `expected/`, and what must hold for any input."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from runspan.viewer import text, tree
from runspan.viewer.spans import Span

from . import hand_made as made

EXPECTED = Path(__file__).parent / "expected"
ALL = (*made.MATH_TUTOR, *made.ENDINGS, *made.MISFITS, *made.SCRIPTS, *made.HOSTILE)

CASES: dict[str, tuple[tuple[Span, ...], int]] = {
    "math_tutor_80": (made.MATH_TUTOR, 80),
    "math_tutor_120": (made.MATH_TUTOR, 120),
    "math_tutor_50": (made.MATH_TUTOR, 50),
    "endings": (made.ENDINGS, 80),
    "misfits": (made.MISFITS, 80),
    "scripts": (made.SCRIPTS, 80),
    "hostile": (made.HOSTILE, 100),
    "nothing": ((), 80),
}


@pytest.mark.parametrize("name", CASES)
def test_the_drawing_is_the_expected_one(name: str) -> None:
    spans, width = CASES[name]
    assert tree.to_text(spans, width=width) == (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1, 40, 63, 64, 80, 137, 300])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = tree.to_text(ALL, width=width).splitlines()
    assert max(map(cell_len, lines)) <= max(width, 40)


def test_the_bars_stand_in_one_column_whatever_the_script() -> None:
    bars = [line for line in tree.to_text(made.SCRIPTS, width=80).splitlines() if "━" in line]
    assert [cell_len(line[: line.index("━")]) for line in bars] == [64, 68, 73, 77]


def printed(console: Console, spans: tuple[Span, ...] = ALL) -> str:
    assert isinstance(console.file, io.StringIO)
    tree.render(spans, console=console)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def test_rich_without_a_terminal_prints_the_plain_text() -> None:
    console = Console(file=io.StringIO(), width=80)
    assert printed(console) == tree.to_text(ALL, width=80).rstrip("\n")


SGR = re.compile(r"\x1b\[[0-9;]*m")  # colours and weights, the only sequences that change nothing but looks


def test_on_a_terminal_only_colours_are_added() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    shown = printed(console)
    assert "\x1b[1;31m" in shown  # bold red, for errors
    plain = [line.rstrip() for line in SGR.sub("", shown).splitlines()]
    assert plain == tree.to_text(ALL, width=80).splitlines()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    assert set(re.findall(r"\x1b\[([0-9;]*)m", printed(console))) <= {"0", "1", "2"}


def test_without_rich_the_plain_text_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(text, "_rich_cell_len", None)
    tree.render(made.MATH_TUTOR, width=80)
    assert capsys.readouterr().out == (EXPECTED / "math_tutor_80.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("sample", ["plain", "数学", "cafe\u0301", "\u200d", "ｆｕｌｌ"])
def test_widths_without_rich_are_the_same(monkeypatch: pytest.MonkeyPatch, sample: str) -> None:
    monkeypatch.setattr(text, "_rich_cell_len", None)
    assert text.cell_len(sample) == cell_len(sample)


def test_output_that_knows_only_ascii_gets_ascii() -> None:
    drawn = tree.to_text(ALL, width=80, encoding="ascii")
    assert drawn.isascii()
    assert max(map(len, drawn.splitlines())) <= 80


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_hostile_text_can_not_steer_the_terminal(encoding: str) -> None:
    drawn = tree.to_text(made.HOSTILE, width=200, encoding=encoding)
    drawn.encode(encoding)
    allowed = {"\n", "\u2068", "\u2069"}  # our own line ends and isolates
    assert {c for c in drawn if not c.isprintable()} <= allowed
    assert drawn.count("\u2068") == drawn.count("\u2069")


KEYS = (
    *(f"runspan.run.{key}" for key in ("status", "unfinished", "queue_s", "polls", "id")),
    *(f"gen_ai.{key}" for key in ("operation.name", "request.model", "response.model", "usage.input_tokens")),
    *(f"gen_ai.{key}" for key in ("usage.cost", "input.messages", "output.messages", "system_instructions")),
    *(f"gen_ai.{key}" for key in ("tool.call.arguments", "tool.call.result", "retrieval.documents")),
    *(
        "gen_ai.response.finish_reasons",
        "openinference.span.kind",
        "input.value",
        "output.value",
        "error.type",
    ),
)


@pytest.mark.parametrize("number", range(len(made.ODD_VALUES)))
@pytest.mark.parametrize("operation", ["invoke_agent", "chat", "execute_tool", "retrieval", ""])
def test_odd_attributes_break_nothing(number: int, operation: str) -> None:
    odd = made.ODD_VALUES[number]
    attributes = dict.fromkeys(KEYS, odd) | ({"gen_ai.operation.name": operation} if operation else {})
    drawn = tree.to_text(
        [made.span(1, 0, "odd one", 0, 1, attributes=attributes, resource={"service.name": odd})]
    )
    assert "odd one" in drawn
    assert "1 trace · 1 span" in drawn


@pytest.mark.parametrize("times", [(0, 0), (2**64 - 1, 2**64 - 1), (1, 2**64 - 1), (2**64 - 1, 1)])
def test_any_time_of_the_wire_can_be_drawn(times: tuple[int, int]) -> None:
    start_ns, end_ns = times
    assert "far" in tree.to_text([made.span(1, 0, "far", 0, 0, start_ns=start_ns, end_ns=end_ns)])


def test_a_trace_deeper_than_the_stack_is_drawn() -> None:
    spans = [made.span(n, n - 1, f"level {n}", n, 9_000) for n in range(1, 3_001)]
    drawn = tree.to_text(spans, width=80).splitlines()
    assert len(drawn) == 3_000 + 4
    assert "level 3000" in drawn[-3]


def test_every_span_is_drawn_exactly_once() -> None:
    drawn = tree.to_text(made.MISFITS, width=200)
    names = {span.name for span in made.MISFITS if span.name}
    assert {name: len(re.findall(rf"(?m)span {name} +\+?", drawn)) for name in names} == dict.fromkeys(
        names, 1
    )


def test_a_retrieval_tells_how_many_documents_it_found() -> None:
    attributes = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.documents": '[{"id":"a"},{"id":"b"}]',
    }
    assert "→ 2 documents" in tree.to_text([made.span(1, 0, "file_search", 0, 1, attributes=attributes)])
