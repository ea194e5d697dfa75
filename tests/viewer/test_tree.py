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


def a_run_with(outputs: str, **facts: object) -> tuple[Span, ...]:
    """A run of 0.5 s below a function that is over after 0.1 s, and its model call."""
    call = {"gen_ai.request.model": "gpt-4o", "gen_ai.output.messages": outputs, "gen_ai.usage.cost": 1.53e-5}
    return (
        made.span(1, 0, "ask", 0, 100, **made.observed()),
        made.span(2, 1, "invoke_agent", 0, 509, **made.run(**facts)),
        made.span(3, 2, "chat gpt-4o", 200, 509, **made.operation("chat", call)),
    )


def test_the_answer_is_shown_however_many_tools_there_are() -> None:
    call = [{"type": "tool_call", "name": "look", "arguments": "{}"}]
    tools = [turn for n in range(12) for turn in (("assistant", call), ("tool", f"result {n}"))]
    drawn = tree.to_text(a_run_with(made.messages(*tools, ("assistant", "The answer.")), status="completed"))
    assert "… 20 messages in between" in drawn
    assert "→ assistant  The answer." in drawn
    assert "  tool       result 1\n" in drawn
    assert "→ tool" not in drawn  # the model read it


@pytest.mark.parametrize(
    "below", [[], [made.span(3, 2, "execute_tool look", 10, 20, **made.operation("execute_tool"))]]
)
def test_a_run_without_a_model_call_shows_its_own_answer(below: list[Span]) -> None:
    run = made.run(status="completed")
    run["attributes"] |= {"input.value": "How much?", "output.value": "42."}
    assert "How much? → 42." in tree.to_text([made.span(2, 0, "invoke_agent Bot", 0, 100, **run), *below])


def test_times_have_the_digits_that_are_true() -> None:
    """50 ms of work, polled each second: nobody knows when it was over."""
    facts = {"queue_s": 0.0, "active_s": 0.26, "detection_lag_s": 0.51, "end_uncertainty_s": 0.98}
    drawn = tree.to_text(a_run_with("[]", status="completed", polls=1, **facts), width=100)
    head = next(line for line in drawn.splitlines() if "invoke_agent" in line)
    assert "~0.5 s" in head
    assert "completed in 0.5 ± 0.5 s · active 0.3 ± 0.5 s · noticed 0.5 ± 0.5 s later · 1 poll" in drawn
    assert "queued" not in drawn
    assert "after its parent" not in drawn  # a run may outlive the call that began it
    exact = tree.to_text(
        a_run_with("[]", status="completed", active_s=0.25, end_uncertainty_s=0.0), width=100
    )
    assert "completed · active 250 ms\n" in exact
    assert "509 ms" in exact


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"status": "in_progress", "unfinished": "stream_closed"}, "Read the stream to its end, or retrieve"),
        ({"status": "in_progress", "unfinished": "expired_unseen"}, "Poll runs until they end"),
        ({"status": "queued", "unfinished": "new_reason"}, "did not see this run finish (new_reason)"),
        ({"status": "expired"}, "submit them sooner, or start a new run"),
        ({"status": "completed"}, ""),
    ],
)
@pytest.mark.parametrize("width", [60, 200])
def test_an_end_that_was_bad_or_not_seen_says_why_and_what_to_do(
    facts: dict[str, str], said: str, width: int
) -> None:
    drawn = tree.to_text(a_run_with("[]", **facts), width=width)
    assert said in re.sub(r"[\s│├└─!]+", " ", drawn)
    assert ("! " in drawn) is bool(said)


@pytest.mark.parametrize(
    ("attributes", "title"),
    [
        ({"gen_ai.agent.id": "asst_1", "gen_ai.request.model": "gpt-4o"}, "invoke_agent asst_1"),
        ({"gen_ai.request.model": "gpt-4o"}, "invoke_agent gpt-4o"),
        ({}, "invoke_agent"),
    ],
)
def test_a_nameless_assistant_is_called_by_its_id_or_model(attributes: dict[str, str], title: str) -> None:
    run = made.run(status="completed")
    run["attributes"] |= attributes
    assert f"run {title}  " in tree.to_text([made.span(1, 0, "invoke_agent", 0, 100, **run)])


def test_money_and_counts_are_written_as_people_write_them() -> None:
    drawn = tree.to_text(a_run_with("[]", status="failed", polls=12_345), width=100)
    assert "$0.000015" in drawn
    assert "12,345 polls" in drawn
    failed = tree.to_text([made.span(n, 0, "x", 0, 1, **(made.ERROR if n < 3 else {})) for n in range(1, 4)])
    assert failed.endswith("1 trace · 3 spans · 2 spans with errors\n")


def test_parallel_tools_stand_in_the_order_of_the_run() -> None:
    """They begin in the same moment; ids say nothing."""
    names = ["e", "b", "d", "a", "c"]
    tools = [
        made.span(n, 1, f"execute_tool {name}", 10, 20)
        for n, name in zip((9, 4, 7, 2, 5), names, strict=True)
    ]
    drawn = tree.to_text([*tools, made.span(1, 0, "run", 0, 100)])
    assert re.findall(r"execute_tool (\w)", drawn) == names
