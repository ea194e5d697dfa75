"""A finding in the terminal: its mark, its text within the width, and the cure below."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ..viewer.paint import Paint
from ..viewer.text import wrapped
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
