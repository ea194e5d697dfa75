"""What a Run still lacks, and the GET that brings it."""

from __future__ import annotations

from collections.abc import Mapping

from ...core import run_messages
from ...core.conversation import Conversation
from ...core.lifecycle import RunState
from ...core.model import RunKey
from ..api import RUN, FollowUp

MESSAGES, STEPS = "messages", "steps"
PAGE_LIMIT = 100  # the API's own bound


def _path(key: RunKey) -> str:
    return f"/threads/{key.conversation_id}/runs/{key.run_id}"


FOLLOW_UPS: Mapping[str, FollowUp] = {
    RUN: FollowUp(_path),
    MESSAGES: FollowUp(
        lambda key: f"/threads/{key.conversation_id}/messages",
        # The page holds the run's outputs, too.
        lambda max_messages: {"limit": min(max(max_messages, 20), PAGE_LIMIT), "order": "desc"},
    ),
    STEPS: FollowUp(lambda key: f"{_path(key)}/steps", lambda _: {"limit": PAGE_LIMIT, "order": "asc"}),
}


def lacks(state: RunState, log: Conversation, captures: bool) -> list[str]:
    """The follow-ups that the run still needs, the most needed first."""
    if not state.is_over:
        return [RUN]
    needed = []
    if captures and not (run_messages.has_all_outputs(log, state) and log.whole_since_start):
        needed.append(MESSAGES)
    was_streamed_whole = state.over_streamed and state.request.stream and state.steps
    may_have_unread_steps = _may_have_steps(state) or _has_unknown_calls(state, captures)
    if may_have_unread_steps and not state.has_all_steps and not was_streamed_whole:
        needed.append(STEPS)
    return needed


def missing(state: RunState, log: Conversation, captures: bool) -> list[str]:
    """The same of one that goes out. Of inputs that are not known `runspan.input.incomplete` tells."""
    has_outputs = state.is_over and run_messages.has_all_outputs(log, state)
    return [what for what in lacks(state, log, captures) if what != MESSAGES or not has_outputs]


def _may_have_steps(state: RunState) -> bool:
    """Only steps tell of server-side tools; function calls stand in `requires_action`, unless others saw the run through."""
    return any(tool.get("type") != "function" or state.noticed_ns is None for tool in state.run.tools)


def _has_unknown_calls(state: RunState, captures: bool) -> bool:
    """Calls that another process saw asked for: steps tell their names and arguments."""
    calls = [call for tool_round in state.rounds for call in tool_round.calls]
    return any(call.name is None or (captures and call.arguments is None) for call in calls)
