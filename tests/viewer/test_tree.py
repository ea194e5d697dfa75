"""The drawn tree: whole expected drawings in `expected/`, and what must hold for any input."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from runspan.viewer import tree
from runspan.viewer.spans import Span
from runspan.viewer.text import cell_len

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


class Terminal(io.StringIO):
    """Takes what is written, and says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed(file: io.StringIO) -> str:
    tree.render(ALL, file=file, width=80)
    return file.getvalue()


SGR = re.compile(r"\x1b\[([0-9;]*)m")  # colours and weights, the only sequences that change nothing but looks


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_without_a_terminal_it_is_the_plain_text() -> None:
    assert printed(io.StringIO()) == tree.to_text(ALL, width=80)


def test_on_a_terminal_only_colours_are_added() -> None:
    shown = printed(Terminal())
    assert "\x1b[1;31m" in shown  # bold red, for errors
    assert SGR.sub("", shown) == tree.to_text(ALL, width=80)
    assert shown.count("\x1b[0m") * 2 == len(SGR.findall(shown))  # what is switched on is switched off


WEIGHTS, ALL_CODES = {"0", "1", "2"}, {str(code) for code in (0, 1, 2, *range(31, 37))}


@pytest.mark.parametrize(
    ("variables", "file", "codes"),
    [
        ({}, Terminal, ALL_CODES),
        ({"NO_COLOR": "1"}, Terminal, WEIGHTS),
        ({"NO_COLOR": ""}, Terminal, ALL_CODES),  # no-color.org: set and not empty
        ({"TERM": "dumb"}, Terminal, set()),
        ({"FORCE_COLOR": "1"}, io.StringIO, ALL_CODES),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, io.StringIO, WEIGHTS),
        ({}, io.StringIO, set()),
    ],
)
def test_colour_is_as_the_reader_wishes(
    variables: dict[str, str], file: type[io.StringIO], codes: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert {code for found in SGR.findall(printed(file())) for code in found.split(";")} == codes


@pytest.mark.parametrize(
    ("sample", "cells"),
    [
        ("plain", 5),
        ("数学", 4),
        ("cafe\u0301", 4),
        ("\u200d", 0),
        ("ｆｕｌｌ", 8),
        ("한글", 4),
        ("مرحبا", 5),
        ("🌤", 1),
        ("🎉", 2),
    ],
)
def test_a_texts_width_is_what_a_terminal_gives_it(sample: str, cells: int) -> None:
    assert cell_len(sample) == cells


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
