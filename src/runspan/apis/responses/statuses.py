"""What the statuses and reasons of the Responses API mean."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.model import Outcome, Vocabulary
from ..objects import STATUSES

VOCABULARY = Vocabulary(queued="queued", active="in_progress", event_prefix="response.", requeues=False)

RUN = STATUSES
ITEM = {status: Outcome(status) for status in ("completed", "incomplete", "failed")}
GROWING = frozenset({"in_progress", "searching", "interpreting", "generating", "calling"})

# `incomplete_details.reason` -> the finish reason of the GenAI conventions.
FINISH_REASONS: Mapping[str, str] = {
    "content_filter": "content_filter",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "max_tool_calls": "length",
    "max_messages": "length",
    "steered": "stop",  # the app sent it another way
}

# How long the server may take: `background_options.completion_window`. One that is not stored is deleted after ten minutes.
WINDOWS_S: Mapping[str, int] = {"soonest": 600, "2h": 2 * 3_600, "8h": 8 * 3_600}
DEFAULT_WINDOW = "soonest"
