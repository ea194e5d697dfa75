"""What goes to the terminal: foreign texts made harmless, JSON that any reader takes, errors in one line."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable
from typing import Any

import click

from ..viewer.text import isolate, neutral
from . import exits

NO_LISTENING = "can't listen on {}: {}. Name an address of this machine with --host, or another --port"


class Problem(click.ClickException):
    """The command ends with this line on stderr; what it quotes can't steer the terminal."""

    def __init__(self, message: str, code: int = exits.USAGE) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click's is the same for the whole class
        return self.code

    def format_message(self) -> str:
        return " ".join(neutral(line.strip()) for line in self.message.splitlines())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean tree?`, or nothing where no known word is close."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def reason(error: OSError) -> str:
    """What the system says, without the numbers around it."""
    return (error.strerror or str(error)).partition(" (while ")[0]


def shown(text: str) -> str:
    """A foreign text as part of a line."""
    return isolate(neutral(text))


def say_json(value: Any) -> None:
    """One line, in ASCII: control and bidi characters are escapes in it. Bytes are hex, what is no number in JSON is null."""
    click.echo(json.dumps(_plain(value), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value
