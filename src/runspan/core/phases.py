"""Where a run stands and how it ends, whatever its API calls that."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Phase(str, Enum):
    """Where a run stands, whatever its API calls that. Time is summed up by phase."""

    REQUESTED = "requested"
    QUEUED = "queued"
    ACTIVE = "active"
    WAITING = "waiting"  # for tool outputs
    CANCELLING = "cancelling"
    OVER = "over"


class Outcome(str, Enum):
    """How a run or a step ended."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"  # it stopped early: a token limit, a content filter
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Vocabulary(Struct, frozen=True, gc=False):
    """The API's own words for status changes that no observation named."""

    queued: str = "queued"
    active: str = "active"
    waiting: str = "waiting"
    event_prefix: str = "run."  # of the span events of status changes
    requeues: bool = True  # a run may queue again; of others a stream that goes back repeats what was
