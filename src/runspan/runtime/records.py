"""What the patches hand to the worker: raw facts of finished calls and stream events, unread.

Made on the app's threads, so they are plain slots and cost nothing to make; read on the worker alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from ..adapters.assistants import Match
from ..adapters.message_deltas import MessageDeltas
from ..adapters.sse import Parser
from ..adapters.step_deltas import StepDeltas
from ..core.jsontext import loads
from ..core.model import ApiError, RunRequest, Server
from .grouped import Group

# One object as the app got it: JSON bytes, or (for a poll that changed nothing) its scalar fields.
Payload = bytes | Mapping[str, Any] | None

MAX_PARTIAL_CHARS = 1_000_000  # of what one stream brought in pieces, messages and tool calls each


def decode(payload: Payload) -> Mapping[str, Any]:
    """JSON bytes or ready fields; anything that is not an object reads as empty."""
    try:
        value = loads(payload) if isinstance(payload, bytes) else payload
    except (ValueError, RecursionError):  # no JSON, no UTF-8, nested without end
        return {}
    return value if isinstance(value, dict) else {}


def weight(payload: Payload | Page) -> int:
    """About how many bytes it keeps alive."""
    if isinstance(payload, Page):
        return sum(map(weight, payload.data))
    return len(payload) if isinstance(payload, bytes) else 0


class Page(Struct, eq=False):
    """A list as the app got it."""

    data: tuple[Payload, ...]
    has_more: bool | None


class Via(Struct, eq=False):
    """How to ask the server something more about a run: `get(path, query, timeout_s) -> bytes`, or None: not possible."""

    server: str  # its address, for the budget
    owner: int  # identity of the server and the key, for pauses: the same for all copies of a client
    get: Callable[[str, Mapping[str, Any], float], bytes | None]


class LiveSpan(Struct, eq=False):
    """A span begun on the caller's thread, with the slim context its children and logs will hang under.

    Of a run also what another process would need to take it over.
    """

    span: Any
    context: Any
    tracer: Any
    request_ns: int = 0
    response_ns: int | None = None
    thread_id: str | None = None
    asked: RunRequest = RunRequest()  # without texts
    wall_offset_ns: int = 0  # added to times of `runtime.clock` when the span is exported
    is_shared: bool = False  # its identity stands in the run's metadata: who sees the end emits it


class Call(Struct, eq=False):
    """One finished call of the app."""

    match: Match
    server: Server
    request_ns: int
    response_ns: int = 0
    body: bytes | None = None
    query: Mapping[str, Any] | None = None
    result: Payload | Page = None
    error: ApiError | None = None
    live: LiveSpan | None = None
    unsampled: Any = None  # the SpanContext of a run span that is not recorded
    met: LiveSpan | None = None  # of a shared run that this call is the first here to see
    sends: Any = None  # options to call with instead of the app's
    via: Via | None = None
    context: Any = None  # slim, where the call was made; for spans that are made afterwards
    streams: bool = False
    group: Group | None = None  # of a helper
    # Polls with the very same answer that joined this one in the queue: (request_ns, response_ns, token).
    merged: list[tuple[int, int, object]] | None = None  # made when the first may join
    newest: tuple[int, int] | None = None  # the last of them
    is_taken: bool = False
    learnt: tuple[str, str, str] | None = None  # the key of the run that it started, among the claimable ones

    @property
    def run_key(self) -> tuple[str, str, str]:
        """Of the run in its path, among the claimable ones."""
        return self.server.base_url, str(self.match.run_id), str(self.match.thread_id)

    def take_span(self) -> LiveSpan | None:
        """Its span, for the one who ends it or follows its run. Whoever comes later gets None: a span ends once."""
        live, self.live = self.live, None
        return live

    def merge(self, other: Call) -> bool:
        """Let this queued poll stand for `other` too. False: the worker has it already.

        No lock: append, remove and pop are atomic. What is added after the worker looked is taken back, unless it was counted.
        """
        token = (other.request_ns, other.response_ns, object())
        if self.merged is None:
            return False
        self.merged.append(token)
        if not self.is_taken:
            return True
        try:
            self.merged.remove(token)
        except ValueError:
            return True
        return False

    def taken_polls(self) -> int:
        """Number of polls this one stands for; called by the worker, after `is_taken` is set."""
        count = 1
        while self.merged:
            request_ns, response_ns, _ = self.merged.pop()
            if self.newest is None or response_ns > self.newest[1]:
                self.newest = (request_ns, response_ns)
            count += 1
        return count


class StreamRef(Struct, eq=False):
    """One stream of the app, from the call that opened it to its end."""

    call: Call
    run_id: str | None = None
    thread_id: str | None = None
    first_token_ns: int | None = None
    first_token_since_ns: int | None = None
    texts: MessageDeltas = field(
        default_factory=lambda: MessageDeltas(MAX_PARTIAL_CHARS)
    )  # worker's own: of messages that did not come whole yet
    steps: StepDeltas = field(
        default_factory=lambda: StepDeltas(MAX_PARTIAL_CHARS)
    )  # worker's own, like `texts`
    is_told: bool = False  # worker's own: the event came behind which the server closes it
    parser: Parser | None = None  # worker's own, of a stream that the app reads as bytes
    broken: ApiError | None = None  # the `error` event of a stream that the app reads as bytes


class StreamEvent(Struct, eq=False):
    stream: StreamRef
    name: str
    at_ns: int  # of its arrival
    payload: Payload
    since_ns: int | None = None  # the server sent it then at the earliest; None: when it arrived


class StreamDeltas(Struct, eq=False):
    """Deltas of one stream's messages or (`of_steps`) run steps, unread: models of the client or dicts."""

    stream: StreamRef
    data: list[Any]
    of_steps: bool = False


class StreamChunk(Struct, eq=False):
    """Bytes of an event stream that the app reads as a raw response."""

    stream: StreamRef
    at_ns: int
    data: bytes
    since_ns: int | None = None  # as of an event


class StreamClosed(Struct, eq=False):
    """`error` is what broke the stream; `handler_error` what the app's own code raised in its `with` block."""

    stream: StreamRef
    at_ns: int
    error: ApiError | None = None
    since_ns: int | None = None  # as of an event
    is_cut: bool = False  # the app left it, or it broke, before its end


class HandlerError(Struct, eq=False):
    stream: StreamRef
    at_ns: int
    error: ApiError
    identity: int  # of the exception: it may pass through several streams of one run


class Fetched(Struct, eq=False):
    """The answer of a background GET; `payload` None: there was none."""

    key: Any
    what: str
    request_ns: int
    response_ns: int
    payload: bytes | None


class Ask(Struct, eq=False):
    """Something for the worker to do between records (flush, shutdown), with an answer."""

    act: Callable[[], None]
    can_be_spared: bool = False  # nothing is lost but time where it finds no room
