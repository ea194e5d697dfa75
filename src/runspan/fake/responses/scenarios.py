"""What a response does, as data: its output items in order, then an ending. Frozen, composable.

For example

    Scenario((FunctionCall("get_weather", '{"city":"Paris"}'),), then=Scenario((Message("Sunny."),)))
    SCENARIOS["failed"].but(queue_s=5)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from runspan.fake.faults import Fault
from runspan.fake.scenarios import Auto, FunctionCall, Refusal, Turn


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a response. The totals include the details."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """`annotations` are given as they are on the wire."""

    text: str
    annotations: tuple[Mapping[str, Any], ...] = ()


Part: TypeAlias = "Text | Refusal"
Content: TypeAlias = "str | tuple[Part, ...] | Callable[[Turn], str] | None"


@dataclass(frozen=True, slots=True)
class Message:
    """A callable content answers the turn; None is the built-in tutor."""

    content: Content = None
    seconds: float = 0.02  # until the first token
    token_s: float = 0.0  # between two deltas


@dataclass(frozen=True, slots=True)
class Reasoning:
    """`summary`: its parts. `encrypted` shows only where include[] asks for it."""

    summary: tuple[str, ...] = ()
    encrypted: str = "gAAAAA-encrypted"
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Item:
    """An output item of any type, its own fields as on the wire; id, call_id and status are made.

    `ends`: "failed" also where the item itself says so by its `error` alone (mcp_call).
    """

    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.02  # of work
    ends: Literal["completed", "failed", "incomplete"] = "completed"


Output: TypeAlias = "Auto | FunctionCall | Message | Reasoning | Item"


@dataclass(frozen=True, slots=True)
class Ending:
    """How the response ends after its items.

    `open_item` leaves the last item unfinished. `error_event` sends an `error` before `response.failed`: its
    details nested under `error` (recorded: clients raise there) or beside the type (documented).
    """

    status: Literal["completed", "failed", "incomplete"] = "completed"
    code: str | None = None
    message: str = ""
    reason: Literal["max_output_tokens", "max_messages", "content_filter", "steered"] | None = None
    open_item: bool = False
    error_event: Literal["nested", "flat"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """All times in seconds of the server's clock."""

    ending: Ending = Ending()
    then: Scenario | None = None  # what the next response does, if it brings what this one's calls asked for
    queue_s: float = 0.02  # in `queued`; only in the background
    usage: Usage | None = None  # None: estimated from the texts
    stores: bool = True  # False: an organization without data retention, where `store` is false for all
    lifetime_s: float = 600.0  # a background response that is not stored is gone so long after its end
    numbered: bool = True  # events have a sequence_number
    cuts: tuple[
        int, ...
    ] = ()  # its first stream breaks after so many events, the second after ..., without end
    fault: Fault | None = None  # what becomes of the request that would create the response


@dataclass(frozen=True, slots=True)
class Scenario(_Options):
    """One response's course."""

    items: tuple[Output, ...] = (Auto(),)

    def but(self, **changes: Any) -> Scenario:
        """This scenario with other values: `scenario.but(queue_s=30)`."""
        return replace(self, **changes)
