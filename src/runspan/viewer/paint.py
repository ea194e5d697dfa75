"""Styled pieces on a terminal, and plain text everywhere else.

Colour is for terminals. `NO_COLOR` leaves weights alone (no-color.org), `FORCE_COLOR` treats a pipe as a terminal,
`TERM=dumb` takes neither.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

from runspan.viewer.text import encodable

Piece = tuple[str, str]  # a text, and a style such as "bold red"

WEIGHTS: Mapping[str, str] = {"bold": "1", "dim": "2"}
COLOURS: Mapping[str, str] = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


class Paint:
    """Writes lines to `file`, by default standard output."""

    def __init__(self, file: TextIO | None = None, width: int | None = None) -> None:
        self._file = file or sys.stdout
        self.width = width or shutil.get_terminal_size().columns
        self.encoding = getattr(self._file, "encoding", None) or "utf-8"
        self._codes = _codes(self._file)

    def line(self, pieces: Iterable[Piece] = ()) -> None:
        """One line, without blanks at its end."""
        kept = list(pieces)
        while kept and not kept[-1][0].strip():
            kept.pop()
        if kept:
            kept[-1] = (kept[-1][0].rstrip(), kept[-1][1])
        self._file.write("".join(self._painted(text, style) for text, style in kept) + "\n")

    def _painted(self, text: str, style: str) -> str:
        safe = encodable(text, self.encoding)
        codes = ";".join(self._codes[word] for word in style.split() if word in self._codes)
        return f"\x1b[{codes}m{safe}\x1b[0m" if codes else safe


def _codes(file: TextIO) -> Mapping[str, str]:
    """What of a style this output is to show."""
    is_forced = bool(os.environ.get("FORCE_COLOR"))
    if os.environ.get("TERM") in ("dumb", "unknown") or not (is_forced or file.isatty()):
        return {}
    return WEIGHTS if os.environ.get("NO_COLOR") else {**WEIGHTS, **COLOURS}
