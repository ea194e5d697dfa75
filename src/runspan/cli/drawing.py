"""A finding in the terminal: its mark, its text within the width, and the cure below."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from ..viewer.paint import Paint
from ..viewer.text import cell_len
from .finding import Finding, State
from .output import shown

SIGNS: Mapping[State, tuple[str, str]] = {
    State.OK: ("ok", "green"),
    State.NOTE: ("--", "dim"),
    State.WARN: ("!!", "yellow"),
    State.BAD: ("XX", "bold red"),
}
MIN_WIDTH = 20


def draw(finding: Finding, *, to_stderr: bool = False) -> None:
    """To standard output, or beside that of an app."""
    paint = Paint(sys.stderr if to_stderr else sys.stdout)
    sign, style = SIGNS[finding.state]
    _lines(paint, finding.text, (f"{sign}  ", style))
    _lines(paint, finding.cure, ("    -> ", "dim"))


def _lines(paint: Paint, text: str, lead: tuple[str, str]) -> None:
    indent = len(lead[0])
    for line in text.splitlines():
        for part in wrapped(shown(line), max(MIN_WIDTH, paint.width - indent)):
            paint.line([lead, (part, "")])
            lead = (" " * indent, "")


def wrapped(text: str, cells: int) -> Iterator[str]:
    """The text in lines of at most `cells`, broken at blanks, and inside words that are longer than a line."""
    line, used = "", 0
    for word in text.split():
        size = cell_len(word)
        if line and used + 1 + size <= cells:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if line:
            yield line
        *full, line = _cut(word, cells)
        yield from full
        used = cell_len(line)
    yield line


def _cut(word: str, cells: int) -> list[str]:
    parts, used = [""], 0
    for character in word:
        size = cell_len(character)
        if used + size > cells:
            parts.append("")
            used = 0
        parts[-1] += character
        used += size
    return parts
