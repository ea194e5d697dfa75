"""What the statuses and reasons of the Assistants API mean."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.model import Outcome, Phase, Vocabulary
from ..objects import ENDS_IN_OTHER_WORDS

VOCABULARY = Vocabulary(
    queued="queued", active="in_progress", waiting="requires_action", event_prefix="thread.run."
)

RUN: Mapping[str, tuple[Phase, Outcome | None]] = {
    **ENDS_IN_OTHER_WORDS,
    "queued": (Phase.QUEUED, None),
    "in_progress": (Phase.ACTIVE, None),
    "requires_action": (Phase.WAITING, None),
    "cancelling": (Phase.CANCELLING, None),
    "completed": (Phase.OVER, Outcome.COMPLETED),
    "incomplete": (Phase.OVER, Outcome.INCOMPLETE),
    "failed": (Phase.OVER, Outcome.FAILED),
    "cancelled": (Phase.OVER, Outcome.CANCELLED),
    "expired": (Phase.OVER, Outcome.EXPIRED),
}
UNKNOWN: tuple[None, None] = (None, None)

STEP: Mapping[str, Outcome] = {
    "completed": Outcome.COMPLETED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
    "expired": Outcome.EXPIRED,
}

MESSAGE: Mapping[str, Outcome] = {"completed": Outcome.COMPLETED, "incomplete": Outcome.INCOMPLETE}

# `incomplete_details.reason` of runs and messages -> the finish reason of the GenAI conventions.
FINISH_REASONS: Mapping[str, str] = {
    "content_filter": "content_filter",
    "max_completion_tokens": "length",
    "max_prompt_tokens": "length",
    "max_tokens": "length",
}
