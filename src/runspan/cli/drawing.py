"""A finding in the terminal: its mark, its text within the width, and the cure below."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

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
    console = Console(highlight=False, markup=False, emoji=False, stderr=to_stderr)
    sign, style = SIGNS[finding.state]
    _lines(console, finding.text, (f"{sign}  ", style))
    _lines(console, finding.cure, ("    -> ", "dim"))


def _lines(console: Console, text: str, lead: tuple[str, str]) -> None:
    indent = len(lead[0])
    for line in text.splitlines():
        for wrapped in Text(shown(line)).wrap(console, max(MIN_WIDTH, console.width - indent)):
            wrapped.rstrip()
            console.print(Text.assemble(lead, wrapped), no_wrap=True, crop=False)
            lead = (" " * indent, "")
