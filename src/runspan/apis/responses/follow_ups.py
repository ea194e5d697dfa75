"""What a response still lacks, and the GET that brings it. One that is over holds all that it put out."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.conversation import Conversation
from ...core.lifecycle import RunState
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
    is_from_elsewhere = state.origin is not None
    has_inputs = any(message.sent_ns is not None for message in log.messages)
    return [INPUTS] if captures and is_from_elsewhere and not has_inputs else []
