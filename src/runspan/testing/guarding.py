"""Errors of runspan itself, made visible and fatal: for tests of runspan and of what is built on it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .. import guard


@dataclass(frozen=True, slots=True)
class Swallowed:
    """An error of runspan itself that its guard kept away from the app."""

    site: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.site}: {''.join(traceback.format_exception(self.error))}"


@contextmanager
def swallowed() -> Iterator[list[Swallowed]]:
    """The errors of its own that runspan swallows while the block runs, on any thread."""
    seen: list[Swallowed] = []

    def hook(site: str, error: Exception) -> None:
        seen.append(Swallowed(site, error))

    guard.add_hook(hook)
    try:
        yield seen
    finally:
        guard.remove_hook(hook)


@contextmanager
def strict() -> Iterator[None]:
    """Let them be fatal: the block ends in an AssertionError if runspan swallowed one. For tests of runspan and of extensions."""
    with swallowed() as seen:
        yield
    if seen:
        raise AssertionError("runspan swallowed errors of its own:\n" + "\n".join(map(str, seen)))
