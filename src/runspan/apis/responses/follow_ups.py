"""What a response still lacks, and the GET that brings it. One that is over holds all that it put out."""

from __future__ import annotations

from collections.abc import Mapping

from ...core import usage
from ...core.conversation import Conversation
from ...core.lifecycle import RunState
from ..api import RUN, USAGE, FollowUp

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


def missing(state: RunState, log: Conversation, captures: bool) -> list[str]:
    """What the trace of an ended one goes without."""
    found = [what for what in lacks(state, log, captures) if what != RUN]
    return [*found, USAGE] if usage.is_missing(state) else found
