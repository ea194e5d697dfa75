"""One run: its objects, and the driver that moves its script on as the clock goes. No task, no timer."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from typing import TypeAlias

from runspan.fake import objects
from runspan.fake.scenarios import Scenario, Turn, Usage
from runspan.fake.store import Object, Shelf, State, Thread

# A script yields a wait in seconds (math.inf: until tool outputs come) or an event with its data.
Script: TypeAlias = "Iterator[float | tuple[str, Object]]"

OVER = frozenset({"completed", "failed", "incomplete", "expired", "cancelled"})


class Run:
    """A live or ended run. `advance(now)` plays its script up to `now`; every reader calls it first.

    `at` is the script's own time: an event that was due at 12.3 s is stamped 12, whenever it was played.
    """

    def __init__(self, state: State, thread: Thread, body: Object, scenario: Scenario, results: bool) -> None:
        self.state, self.thread, self.body, self.scenario = state, thread, body, scenario
        self.results = results  # asked for by include[] when the run was created
        self.expiry: Script = iter(())  # played when `expires_at` comes first
        self.steps: Shelf[Object] = Shelf("run step", 1_000)
        self.usages: list[Usage] = []
        self.outputs: dict[str, str] = {}  # of function calls, by call id
        self.searched: list[Object] = []
        self.open_step: Object | None = None
        self.open_message: Object | None = None
        self.outbox: list[bytes] | None = None  # events for the open stream, if there is one
        self.changed: asyncio.Event | None = None  # wakes that stream
        self.at = self.due = 0.0
        self._script: Script = iter(())

    @property
    def is_over(self) -> bool:
        return self.body["status"] in OVER

    @property
    def now(self) -> int:
        """The script's time as a stamp."""
        return int(self.at)

    @property
    def next_at(self) -> float:
        """When something happens next: the script goes on, or the run expires."""
        expires_at = self.body["expires_at"]
        return self.due if expires_at is None else min(self.due, expires_at)

    def play(self, script: Script, now: float) -> None:
        """Go over to `script` now, up to its first wait."""
        self._script, self.at = script, now
        self._go_on()

    def go_on(self, now: float) -> None:
        """End the script's wait for tool outputs."""
        self.at = now
        self._go_on()

    def advance(self, now: float) -> None:
        while not self.is_over and (at := self.next_at) <= now:
            if at < self.due:
                self.play(self.expiry, at)
            else:
                self.at = at
                self._go_on()

    def _go_on(self) -> None:
        self.due = math.inf
        for item in self._script:
            if not isinstance(item, tuple):
                self.due = self.at + item
                break
            if self.outbox is not None:
                self.outbox.append(self.event(*item))
        if self.is_over and self.thread.active is self:
            self.thread.active = None
        if self.changed:
            self.changed.set()

    def event(self, name: str, data: Object) -> bytes:
        if not name.endswith(".delta"):
            v1 = self.scenario.era == "v1"
            data = objects.view(data, v1=v1, results=self.results, streamed=True)
        return sse(name, json.dumps(data, separators=(",", ":")))

    def turn(self) -> Turn:
        return Turn(
            question=next(
                (_text(m) for m in reversed(self.thread.messages.values()) if m["role"] == "user"), ""
            ),
            instructions=self.body["instructions"] or "",
            model=self.body["model"],
            tools=tuple(self.body["tools"]),
            outputs=tuple(self.outputs.values()),
            searched=tuple(self.searched),
        )


def sse(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()


def _text(message: Object) -> str:
    return "\n".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")
