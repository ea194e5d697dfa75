"""One run: its objects, and what happens to it when its time comes."""

from __future__ import annotations

import json

from runspan.fake import objects
from runspan.fake.course import Course, Script, sse
from runspan.fake.scenarios import Scenario, Turn, Usage
from runspan.fake.store import Object, Shelf, State, Thread

OVER = frozenset({"completed", "failed", "incomplete", "expired", "cancelled"})


class Run(Course):
    """A live or ended run."""

    def __init__(self, state: State, thread: Thread, body: Object, scenario: Scenario, results: bool) -> None:
        super().__init__()
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

    @property
    def is_over(self) -> bool:
        return self.body["status"] in OVER

    @property
    def next_at(self) -> float:
        """When something happens next: the script goes on, or the run expires."""
        expires_at = self.body["expires_at"]
        return self.due if expires_at is None else min(self.due, expires_at)

    def reach(self, at: float) -> None:
        if at < self.due:
            self.play(self.expiry, at)
        else:
            self.go_on(at)

    def take(self, event: str, data: Object) -> None:
        if self.outbox is not None:
            self.outbox.append(self.event(event, data))

    def ended(self) -> None:
        if self.thread.active is self:
            self.thread.active = None

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


def _text(message: Object) -> str:
    return "\n".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")
