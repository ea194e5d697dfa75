"""What a run does, as data: phases in order, then an ending. Frozen, composable, easily written by hand.

For example

    Scenario(phases=(Tools((FunctionCall("get_weather", '{"city":"Paris"}'),)), Message("Sunny.")), queue_s=30)
    SCENARIOS["failed"].but(queue_s=5)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from runspan.fake.faults import Fault


@dataclass(frozen=True, slots=True)
class Turn:
    """What the answering model knows: texts and function outputs of the run so far."""

    question: str  # text of the thread's last user message
    instructions: str  # the run's, additional ones included
    model: str
    tools: tuple[dict[str, Any], ...]
    outputs: tuple[str, ...]  # of function calls, in the order of the calls
    searched: tuple[dict[str, Any], ...]  # file_search results of the run so far


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one step. The run's usage is the sum over its steps; totals include the details."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0  # on the wire: prompt_token_details.cached_tokens (sic, no "s" after prompt_token)
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class FileCitation:
    """`file_id=None` cites the run's best file_search result."""

    file_id: str | None = None
    text: str = "【4:0†source】"


@dataclass(frozen=True, slots=True)
class FilePath:
    file_id: str
    text: str = "sandbox:/mnt/data/output.csv"


@dataclass(frozen=True, slots=True)
class Text:
    """The texts of the annotations are appended to `value`, each with its place (start_index, end_index)."""

    value: str
    annotations: tuple[FileCitation | FilePath, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageFile:
    file_id: str
    detail: Literal["auto", "low", "high"] = "auto"


@dataclass(frozen=True, slots=True)
class ImageUrl:
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


@dataclass(frozen=True, slots=True)
class Refusal:
    refusal: str


Part: TypeAlias = "Text | ImageFile | ImageUrl | Refusal"
Content: TypeAlias = "str | tuple[Part, ...] | Callable[[Turn], str] | None"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`name=None` calls the assistant's first function; `arguments=None` makes them from its parameters."""

    name: str | None = None
    arguments: str | None = None  # JSON text, as the API gives it


@dataclass(frozen=True, slots=True)
class Logs:
    logs: str


@dataclass(frozen=True, slots=True)
class Image:
    file_id: str


@dataclass(frozen=True, slots=True)
class CodeInterpreter:
    input: str
    outputs: tuple[Logs | Image, ...] = ()


@dataclass(frozen=True, slots=True)
class FileResult:
    file_id: str
    file_name: str
    score: float  # 0 to 1
    content: str  # given out only with include[]=step_details.tool_calls[*].file_search.results[*].content


@dataclass(frozen=True, slots=True)
class FileSearch:
    """`results=None` searches the vector stores attached to the thread and the assistant."""

    results: tuple[FileResult, ...] | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What file search was called in v1. It told nothing of itself (recorded)."""


ToolCall: TypeAlias = "FunctionCall | CodeInterpreter | FileSearch | Retrieval"


@dataclass(frozen=True, slots=True)
class Tools:
    """One tool_calls step, its calls in parallel. With a function among them the run requires action."""

    calls: tuple[ToolCall, ...]
    seconds: float = 0.02
    usage: Usage | None = None  # None: estimated from the texts


Cut: TypeAlias = Literal["max_tokens", "content_filter"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message_creation step. A callable content answers the turn; None is the built-in tutor."""

    content: Content = None
    seconds: float = 0.02  # until the first token
    token_s: float = 0.0  # between two deltas
    cut: Cut | None = None  # the message ends incomplete, for this reason
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Auto:
    """What a helpful model would do with the turn: call a function, run code, search, or just answer."""

    seconds: float = 0.02


Phase: TypeAlias = "Tools | Message | Auto"
ErrorCode: TypeAlias = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
Reason: TypeAlias = Literal["max_completion_tokens", "max_prompt_tokens", "content_filter"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run ends after its phases.

    `open_step` leaves the last phase's step (and message) unfinished, so that it ends with the run.
    `event` is the stream's last event. A cut-off v2 run ends with `thread.run.completed` whose data say
    incomplete (recorded); the documentation names `thread.run.incomplete`.
    """

    status: Literal["completed", "failed", "incomplete", "expired", "cancelled"] = "completed"
    code: ErrorCode | None = None
    message: str = ""
    reason: Reason | None = None
    open_step: bool = False
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run's course. All times in seconds of the server's clock."""

    phases: tuple[Phase, ...] = (Auto(),)
    ending: Ending = Ending()
    queue_s: float = 0.02  # in `queued`, at the start and again after each submit_tool_outputs
    cancel_s: float = 0.02  # in `cancelling`
    lifetime_s: float = 600.0  # expires_at - created_at (recorded: 600)
    poll_after_ms: int | None = None  # openai-poll-after-ms on answers about the run; None: no such header
    era: Literal["v1", "v2"] = (
        "v2"  # v1: the run and its stream as before April 2024; as serve()'s scenario, all
    )
    fault: Fault | None = None  # what becomes of the request that would create the run
    cut_stream_after: int | None = None  # so many events, then the connection is gone, without done
    stream_error_after: int | None = None  # so many events, then `event: error`, without done

    def but(self, **changes: Any) -> Scenario:
        """This scenario with other values: `scenario.but(queue_s=30)`."""
        return replace(self, **changes)
