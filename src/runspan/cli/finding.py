"""One thing that `runspan doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """Only BAD decides the exit code."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """`about`: which of the checks; `cure`: what to do, where something is to be done."""

    about: str
    state: State
    text: str
    cure: str = ""

    def as_json(self) -> dict[str, str]:
        return {"about": self.about, "state": self.state.value, "text": self.text, "cure": self.cure}


def ok(about: str, text: str) -> Finding:
    return Finding(about, State.OK, text)


def note(about: str, text: str, cure: str = "") -> Finding:
    return Finding(about, State.NOTE, text, cure)


def warn(about: str, text: str, cure: str = "") -> Finding:
    return Finding(about, State.WARN, text, cure)


def bad(about: str, text: str, cure: str = "") -> Finding:
    return Finding(about, State.BAD, text, cure)
