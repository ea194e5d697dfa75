"""One response: its object, its events, and what it read."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from runspan.fake.course import Course, sse
from runspan.fake.responses import azure, objects
from runspan.fake.responses.scenarios import Scenario
from runspan.fake.scenarios import Turn
from runspan.fake.store import Object, State

if TYPE_CHECKING:
    from runspan.fake.store import Conversation

OVER = frozenset({"completed", "failed", "incomplete", "cancelled"})


class ResponseRun(Course):
    """A live or ended response."""

    def __init__(
        self,
        state: State,
        body: Object,
        request: Mapping[str, Any],
        scenario: Scenario,
        *,
        given: list[Object],
        history: list[Object],
        conversation: Conversation | None,
        foundry: bool,
    ) -> None:
        super().__init__()
        self.state, self.body, self.request, self.scenario = state, body, request, scenario
        self.given, self.history, self.conversation = given, history, conversation
        self.foundry = foundry  # speaks as Azure's Foundry does
        self.include: Collection[str] = request.get("include") or ()
        self.items: list[Object] = []  # shown as `output` once it is over (recorded)
        self.searched: tuple[Object, ...] = ()  # what it found in files
        self.pieces = 0  # written so far
        self.events = 0  # sent so far
        self.log: list[bytes] | None = [] if request.get("stream") else None
        self.streams = 0  # opened so far
        self.ended_at: float | None = None

    @property
    def is_over(self) -> bool:
        return self.body["status"] in OVER

    @property
    def context(self) -> list[Object]:
        """All that the model reads: what was there before, and this request's input."""
        return [*self.history, *self.given]

    def is_gone(self, now: float) -> bool:
        """Nobody can read it: never stored, or only for a while."""
        if self.body["store"]:
            return False
        if not self.body["background"]:
            return True
        return self.ended_at is not None and now >= self.ended_at + self.scenario.lifetime_s

    def add(self, item: Object) -> Object:
        """A new output item -> its place, as events name it."""
        if self.foundry:
            azure.mark(item, self.body)
        self.items.append(item)
        self.state.items.put(item["id"], item)
        return {"output_index": len(self.items) - 1}

    def take(self, event: str, data: Object) -> None:
        number = {"sequence_number": self.events} if self.scenario.numbered else {}
        self.events += 1
        if self.log is None:
            return
        if "response" in data:
            data = {"response": self.view(self.include)}
        elif "item" in data:
            data = {**data, "item": objects.view_item(data["item"], self.include)}
        self.log.append(sse(event, json.dumps({"type": event, **number, **data}, separators=(",", ":"))))

    def view(self, include: Collection[str]) -> Object:
        shown = objects.view(self.body, include)
        return azure.view(shown, self.request) if self.foundry else shown

    def ended(self) -> None:
        if self.ended_at is not None:
            return
        self.ended_at = self.at
        if self.conversation and self.conversation.active is self:
            self.conversation.active = None
            if self.body["status"] in ("completed", "incomplete"):
                for item in (*self.given, *self.items):
                    self.conversation.items.put(item["id"], item)

    def turn(self) -> Turn:
        """What the answering model knows, in the terms of `Turn`: functions nested as assistants have them."""
        messages = [item for item in self.context if item["type"] == "message"]
        system = [one for one in messages if one["role"] in ("system", "developer")]
        asked = [objects.text_of(one) for one in messages if one["role"] == "user"]
        outputs = [item["output"] for item in self.given if item["type"].endswith("_call_output")]
        instructions = self.body["instructions"] or ""
        return Turn(
            question=asked[-1] if asked else "",
            instructions="\n".join([instructions, *map(objects.text_of, system)]).strip(),
            model=self.body["model"],
            tools=tuple(
                {"type": "function", "function": one} if one["type"] == "function" else one
                for one in self.body["tools"]
            ),
            outputs=tuple(one if isinstance(one, str) else json.dumps(one) for one in outputs),
            searched=self.searched,
        )
