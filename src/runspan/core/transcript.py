"""What a Run put out, as messages in the order in which it came: texts, calls of tools, and what the tools said.

The conventions know one message per choice, a run writes several: they stand in the order of creation. An assistant message with
the calls made at once, one of the role `tool` with the answers of the app's functions, an assistant message with text, and so on.
What tools on the server found stands beside their calls, in the assistant's own message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from .lifecycle import RunState
from .model import Message, Part, ToolCall
from .timing import SECOND_NS
from .tools import ToolInvocation

FUNCTION = "function"
CALL, RESPONSE = "tool_call", "tool_call_response"
SERVER_CALL, SERVER_RESPONSE = "server_tool_call", "server_tool_call_response"


def outputs(
    state: RunState, messages: Iterable[Message], uses: Sequence[ToolInvocation]
) -> tuple[Message, ...]:
    """`messages` and `uses` in their own orders, put together; both are redacted already."""
    place = _places(state) if uses else {}
    waiting = list(messages)
    found: list[Message] = []
    for group, together in groupby(uses, key=lambda use: use.group):
        calls = list(together)
        while waiting and _is_before(state, waiting[0], calls[0], place.get(waiting[0].id), place.get(group)):
            found.append(waiting.pop(0))
        found += _of_group(state.key.run_id, [use.call for use in calls])
    return (*found, *waiting)


def _places(state: RunState) -> dict[str, int]:
    """Where steps, and messages by the steps that made them, stand among the steps."""
    places: dict[str, int] = {}
    for n, step in enumerate(state.steps.values()):
        places[step.id] = n
        if step.message_id is not None:
            places[step.message_id] = n
    return places


def _is_before(
    state: RunState, message: Message, use: ToolInvocation, of_message: int | None, of_use: int | None
) -> bool:
    """By the steps; where one is not among them, only a message that was certainly there before the calls began."""
    if of_message is not None and of_use is not None:
        return of_message < of_use
    if message.created_at is None or state.created_at is None:
        return False
    latest_ns = state.response_ns + (message.created_at - state.created_at + 1) * SECOND_NS
    return latest_ns <= use.start_ns


def has_result(call: ToolCall) -> bool:
    return bool(call.outputs or call.documents or call.output is not None)


def _of_group(run_id: str, calls: list[ToolCall]) -> Iterator[Message]:
    parts: list[Part] = []
    for call in calls:
        is_function = call.type == FUNCTION
        parts.append(Part(CALL if is_function else SERVER_CALL, call=call))
        if not is_function and has_result(call):
            parts.append(Part(SERVER_RESPONSE, call=call))
    yield Message("", "assistant", tuple(parts), run_id=run_id)
    answers = tuple(Part(RESPONSE, call=c) for c in calls if c.type == FUNCTION and c.output is not None)
    if answers:
        yield Message("", "tool", answers, run_id=run_id)
