"""What the built-in assistant says and does."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from runspan.fake import Auto, CodeInterpreter, FileSearch, FunctionCall, Message, Tools, Turn
from runspan.fake.answers import arguments, decide, reply, solve

WEATHER = {
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer"},
        },
    },
}
TOOLS = ({"type": "function", "function": WEATHER}, {"type": "code_interpreter"}, {"type": "file_search"})


def asked(question: str, **more: Any) -> Turn:
    return Turn(
        question, **{"instructions": "", "model": "m", "tools": (), "outputs": (), "searched": ()} | more
    )


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("Please: what is x in `3x + 11 = 14`?", Fraction(1)),
        ("2x=7", Fraction(7, 2)),
        ("-x - 4 = 2", Fraction(-6)),
        ("x + 1 = -1", Fraction(-2)),
        ("0x = 3", None),
        ("hello", None),
    ],
)
def test_linear_equations_are_solved(text: str, x: Fraction | None) -> None:
    solved = solve(text)
    assert (solved and solved[1]) == x


def test_instructions_and_outputs_show_in_the_answer() -> None:
    instructions = "Be kind. Address the user as Jane Doe. Never hurry."
    assert reply(asked("Hi", instructions=instructions)) == "Jane Doe, you said: Hi"
    assert reply(asked("Hi", outputs=("warm", "dry"))) == "here is what I found: warm; dry"


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("What is the weather in Paris?", [FunctionCall]),
        ("Solve 3x + 11 = 14", [CodeInterpreter]),
        ("What is in the files?", [FileSearch]),
    ],
)
def test_the_question_chooses_the_tool(question: str, kinds: list[type]) -> None:
    first, second = decide(asked(question, tools=TOOLS), Auto())
    assert isinstance(first, Tools)
    assert [type(one) for one in first.calls] == kinds
    assert isinstance(second, Message)
    assert decide(asked(question), Auto()) == (second,)


def test_arguments_fit_the_parameters() -> None:
    made = arguments(WEATHER, "What is the weather in Paris?")
    assert json.loads(made) == {"city": "Paris", "unit": "celsius", "days": 1}
