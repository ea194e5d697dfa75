"""What a response still lacks, and the GET that brings it. One that is over holds all that it put out."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.conversation import Conversation
from ...core.lifecycle import RunState
from ...core.model import Outcome
from ...core.run_messages import outputs
from ..api import RUN, FollowUp

INPUTS = "input_items"
PAGE_LIMIT = 100  # the API's own bound

FOLLOW_UPS: Mapping[str, FollowUp] = {
    RUN: FollowUp(lambda key: f"/responses/{key.run_id}"),
    INPUTS: FollowUp(
        lambda key: f"/responses/{key.run_id}/input_items",
        lambda max_messages: {"limit": min(max_messages, PAGE_LIMIT), "order": "asc"},
    ),
}


def lacks(state: RunState, log: Conversation, captures: bool) -> list[str]:
    """The follow-ups that it still needs. What it was given only the process knows that asked."""
    if not state.is_over:
        return [RUN]
    if captures and _was_told_nothing(state, log):
        return [RUN]
    is_from_elsewhere = state.origin is not None
    has_inputs = any(message.sent_ns is not None for message in log.messages)
    return [INPUTS] if captures and is_from_elsewhere and not has_inputs else []


def _was_told_nothing(state: RunState, log: Conversation) -> bool:
    """Whether it completed in a stream that told of no output, and nobody has read it since."""
    if state.run.outcome is not Outcome.COMPLETED or not state.over_streamed or state.over_seen is None:
        return False
    is_read = any(ns >= state.over_seen[1] for _, ns in log.read_for_run)
    return not (is_read or state.steps or state.partial or outputs(log, state))
