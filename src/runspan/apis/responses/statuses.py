"""What the statuses and reasons of the Responses API mean."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.model import Outcome, Phase, Vocabulary
from ..objects import ENDS_IN_OTHER_WORDS

VOCABULARY = Vocabulary(queued="queued", active="in_progress", event_prefix="response.", requeues=False)

RUN: Mapping[str, tuple[Phase, Outcome | None]] = {
    **ENDS_IN_OTHER_WORDS,
    "queued": (Phase.QUEUED, None),
    "in_progress": (Phase.ACTIVE, None),
    "cancelling": (Phase.CANCELLING, None),
    "completed": (Phase.OVER, Outcome.COMPLETED),
    "incomplete": (Phase.OVER, Outcome.INCOMPLETE),
    "failed": (Phase.OVER, Outcome.FAILED),
    "cancelled": (Phase.OVER, Outcome.CANCELLED),
}
UNKNOWN: tuple[None, None] = (None, None)

ITEM: Mapping[str, Outcome] = {
    "completed": Outcome.COMPLETED,
    "incomplete": Outcome.INCOMPLETE,
    "failed": Outcome.FAILED,
}
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
