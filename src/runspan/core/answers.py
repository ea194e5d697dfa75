"""Outputs of tool calls that a request brings, and whose calls they answer: ids of calls alone prove nothing.

Some servers number the calls of each run anew, so two users' runs may wait for the same id.
"""

from __future__ import annotations

from msgspec import Struct

from . import ids
from .jsontext import parsed
from .model import RunStep, ToolCall


class Answers(Struct, frozen=True, gc=False):
    """What one request says of calls that runs asked for which are over."""

    outputs: tuple[ToolCall, ...] = ()
    continues: str | None = None  # id of the run that the request goes on with
    conversation_id: str | None = None  # or the conversation
    repeated: tuple[RunStep, ...] = ()  # else the calls that it repeats, as a part of the whole history

    @property
    def names_run(self) -> bool:
        """Whether it says by an id what it goes on with."""
        return self.continues is not None or self.conversation_id is not None

    def are_of(
        self, call: ToolCall, run_id: str, conversation_id: str | None, step_id: str | None = None
    ) -> bool:
        """Whether the call of that id, of this run, may be what an output is for."""
        if self.continues is not None:
            return self.continues == run_id
        if self.conversation_id is not None:
            return self.conversation_id == conversation_id
        repeated = [step for step in self.repeated if step.tool_calls[0].id == ids.shown(call.id)]
        return not repeated or any(_is_same(step, call, step_id) for step in repeated)


def _is_same(step: RunStep, call: ToolCall, step_id: str | None) -> bool:
    """By the step's own id where both have one, else by what was called."""
    if step.id and (known_id := ids.shown(step_id or "")):
        return step.id == known_id
    (said,) = step.tool_calls
    # Apps write JSON anew, with other spaces.
    return said.name == call.name and parsed(said.arguments or "{}") == parsed(call.arguments or "{}")
