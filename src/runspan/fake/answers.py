"""What the built-in assistant says: tiny, deterministic, and true for linear equations in x."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

from runspan.fake.scenarios import Auto, CodeInterpreter, FileSearch, FunctionCall, Logs, Message, Tools, Turn

# Every repetition is bounded, so that a search takes time linear in the question.
EQUATION = re.compile(
    r"([+-]?\d{0,9})\s{0,4}\*?\s{0,4}x\s{0,4}(?:([+-])\s{0,4}(\d{1,9}))?\s{0,4}=\s{0,4}([+-]?\d{1,9})"
)
ADDRESSEE = re.compile(r"[Aa]ddress the user as ((?:[A-Z]\w+ ?)+)")
SAMPLES: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}


def solve(text: str) -> tuple[str, Fraction] | None:
    """The first `ax + b = c` of the text with its solution, if there is one."""
    found = EQUATION.search(text)
    if found is None:
        return None
    a, sign, b, c = found.groups()
    factor = int(a + "1" if a in ("", "+", "-") else a)
    if factor == 0:
        return None
    return found.group().strip(), Fraction(int(c) - int(f"{sign or ''}{b or 0}"), factor)


def reply(turn: Turn) -> str:
    """The answer to the last user message."""
    name = ADDRESSEE.search(turn.instructions)
    greeting = f"{name[1].strip()}, " if name else ""
    solved = solve(turn.question)
    if turn.outputs:
        return f"{greeting}here is what I found: {'; '.join(turn.outputs)}"
    if solved:
        return f"{greeting}the solution of {solved[0]} is x = {solved[1]}."
    if turn.searched:
        return f"{greeting}the files say: {turn.searched[0]['content'][0]['text'].strip()}"
    return f"{greeting}you said: {turn.question}"


def decide(turn: Turn, auto: Auto) -> tuple[Tools | Message, ...]:
    """Call the function the question names, or run code for an equation, or search; then answer."""
    calls: tuple[FunctionCall | CodeInterpreter | FileSearch, ...] = ()
    solved = solve(turn.question)
    kinds = {tool["type"] for tool in turn.tools}
    named = next((tool["function"] for tool in turn.tools if _is_asked_for(tool, turn.question)), None)
    if named:
        calls = (FunctionCall(named["name"]),)
    elif solved and "code_interpreter" in kinds:
        left, right = (side.strip().lstrip("*") for side in solved[0].replace("x", "*x").split("="))
        code = f"from sympy import solve, symbols\nx = symbols('x')\nsolve({left} - ({right}), x)"
        calls = (CodeInterpreter(code, (Logs(f"[{solved[1]}]"),)),)
    elif "file_search" in kinds:
        calls = (FileSearch(),)
    answer = Message(seconds=auto.seconds)
    return (Tools(calls, seconds=auto.seconds), answer) if calls else (answer,)


def arguments(function: dict[str, Any], question: str) -> str:
    """Plausible arguments for a function: enums first, names from the question for texts."""
    properties = function.get("parameters", {}).get("properties", {})
    names = re.findall(r"(?<!^)\b[A-Z]\w+", question)
    given: dict[str, Any] = {}
    for name, schema in properties.items():
        plausible = SAMPLES.get(schema.get("type", ""), (names or [name])[0])
        given[name] = schema.get("enum", [plausible])[0]
    return json.dumps(given, separators=(",", ":"))  # as models write them


def _is_asked_for(tool: dict[str, Any], question: str) -> bool:
    """A word of four letters or more of the function's name stands in the question."""
    if tool["type"] != "function":
        return False
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])([A-Z])", r"_\1", tool["function"]["name"]).lower())
    return any(len(word) > 3 and word in question.lower() for word in words)
