"""What goes on by itself as the clock does: a run, a response. No task, no timer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import TypeAlias

from runspan.fake.store import Object

# A script yields a wait in seconds (math.inf: until `go_on`) or an event with its data.
Script: TypeAlias = "Iterator[float | tuple[str, Object]]"


class Course:
    """`advance(now)` plays the script up to `now`; every reader calls it first.

    `at` is the script's own time: an event that was due at 12.3 s is stamped 12, whenever it was played.
    """

    def __init__(self) -> None:
        self.at = self.due = 0.0
        self.listeners: set[asyncio.Event] = set()  # of the open streams
        self._script: Script = iter(())

    @property
    def is_over(self) -> bool:
        raise NotImplementedError

    @property
    def now(self) -> int:
        """The script's time as a stamp."""
        return int(self.at)

    @property
    def next_at(self) -> float:
        """When something happens next."""
        return self.due

    def take(self, event: str, data: Object) -> None:
        """An event of the script."""
        raise NotImplementedError

    def ended(self) -> None:
        """Called once the script has brought the end."""

    def play(self, script: Script, now: float) -> None:
        """Go over to `script` now, up to its first wait."""
        self._script, self.at = script, now
        self._go_on()

    def go_on(self, now: float) -> None:
        """End the script's wait."""
        self.at = now
        self._go_on()

    def advance(self, now: float) -> None:
        while not self.is_over and (at := self.next_at) <= now:
            self.reach(at)

    def reach(self, at: float) -> None:
        """What happens at `next_at`."""
        self.go_on(at)

    def _go_on(self) -> None:
        self.due = math.inf
        for item in self._script:
            if not isinstance(item, tuple):
                self.due = self.at + item
                break
            self.take(*item)
        if self.is_over:
            self.ended()
        for changed in self.listeners:
            changed.set()


def sse(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()
