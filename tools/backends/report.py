"""One thing checked at one program, and how all of them are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from table import columns


@dataclass(frozen=True)
class Check:
    """`sent` is what the app's process knows, `found` what the program's own API answered; `held=None`: equal, or not."""

    at: At
    what: str
    sent: Any
    found: Any
    held: bool | None = None

    @property
    def is_held(self) -> bool:
        return self.sent == self.found if self.held is None else self.held


@dataclass(frozen=True)
class Skipped:
    """A program that could not be installed or started here, and why."""

    at: At
    reason: str


@dataclass(frozen=True)
class At:
    """Makes checks of one program over one transport."""

    program: str
    version: str
    transport: str = ""

    def same(self, what: str, sent: Any, found: Any) -> Check:
        return Check(self, what, sent, found)

    def holds(self, what: str, held: bool, sent: Any = "", found: Any = "") -> Check:
        return Check(self, what, sent, found, held)


HEAD = ("program", "version", "transport", "checked", "sent", "found", "")
WIDEST = 48


def draw(rows: Iterable[Check | Skipped]) -> str:
    """A table in plain text, one check a line."""
    return columns(HEAD, *((*vars(row.at).values(), *_cells(row)) for row in rows))


def _cells(row: Check | Skipped) -> tuple[str, str, str, str]:
    if isinstance(row, Skipped):
        return f"SKIPPED: {row.reason}", "", "", ""
    return row.what, str(row.sent)[:WIDEST], str(row.found)[:WIDEST], "ok" if row.is_held else "WRONG"
