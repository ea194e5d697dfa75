"""What the statuses and reasons of the Assistants API mean."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.model import Outcome, Phase, Vocabulary
from ..objects import STATUSES

VOCABULARY = Vocabulary(
    queued="queued", active="in_progress", waiting="requires_action", event_prefix="thread.run."
)

RUN: Mapping[str, tuple[Phase, Outcome | None]] = {
    **STATUSES,
    "requires_action": (Phase.WAITING, None),
    "expired": (Phase.OVER, Outcome.EXPIRED),
}
STEP = {status: Outcome(status) for status in ("completed", "failed", "cancelled", "expired")}
MESSAGE = {status: Outcome(status) for status in ("completed", "incomplete")}

# `incomplete_details.reason` of runs and messages -> the finish reason of the GenAI conventions.
FINISH_REASONS: Mapping[str, str] = {
    "content_filter": "content_filter",
    "max_completion_tokens": "length",
    "max_prompt_tokens": "length",
    "max_tokens": "length",
}
