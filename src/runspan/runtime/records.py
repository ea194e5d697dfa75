"""What the patches hand to the worker: raw facts of finished calls and stream events, unread.

Made on the app's threads, so they are plain slots and cost nothing to make; read on the worker alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from ..apis.api import Api, Events, Match, StepPieces, TextPieces
from ..core.answers import Answers
from ..core.ids import StreamIds
from ..core.jsontext import loads
from ..core.model import ApiError, RunRequest, Server
from ..core.sse import Parser
from .helper_call import HelperCall

# One object as the app got it: JSON bytes, or (for a poll that changed nothing) its scalar fields.
Payload = bytes | Mapping[str, Any] | None

MAX_PARTIAL_CHARS = 1_000_000  # of what one stream brought in pieces, messages and tool calls each


def decode(payload: Payload) -> Mapping[str, Any]:
    """JSON bytes or ready fields; anything that is not an object reads as empty."""
    if not payload:
        return {}
    try:
        value = loads(payload) if isinstance(payload, bytes) else payload
    except (ValueError, RecursionError):  # no JSON, no UTF-8, nested without end
        return {}
    return value if isinstance(value, dict) else {}


def weight(payload: Payload | Page) -> int:
    """About how many bytes it keeps alive."""
    if isinstance(payload, bytes):
        return len(payload)
    return sum(map(weight, payload.data)) if isinstance(payload, Page) else 0


class Page(Struct, eq=False):
    """A list as the app got it."""

    data: tuple[Payload, ...]
    has_more: bool | None


class BackgroundClient(Struct, eq=False):
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
    conversation_id: str | None = None
    asked: RunRequest = RunRequest()  # without texts
    api: Api | None = None  # of a run
    wall_offset_ns: int = 0  # added to times of `runtime.clock` when the span is exported
    is_shared: bool = False  # its identity stands in the run's metadata: who sees the end emits it


class Call(Struct, eq=False, weakref=True):
    """One finished call of the app."""

    api: Api
    match: Match
    server: Server
    request_ns: int
    response_ns: int = 0
    body: bytes | None = None
    query: Mapping[str, Any] | None = None
    result: Payload | Page = None
    error: ApiError | None = None
    is_not_found: bool = False  # the server knows no such thing
    live: LiveSpan | None = None
    unsampled: Any = None  # the SpanContext of a run span that is not recorded
    met: LiveSpan | None = None  # of a shared run that this call is the first here to see
    sends: Any = None  # options to call with instead of the app's
    via: BackgroundClient | None = None
    context: Any = None  # slim, where the call was made; for spans that are made afterwards
    streams: bool = False
    group: HelperCall | None = None  # of a helper
    run_key: tuple[str, str, str] | None = None  # of the run in its path, in the registry
    entry: Any = None  # the same run's `RunEntry`, where it was followed when the call was made
    learnt: tuple[str, str, str] | None = None  # of the run that it started

    def take_span(self) -> LiveSpan | None:
        """Its span, for the one who ends it or follows its run. Whoever comes later gets None: a span ends once."""
        live, self.live = self.live, None
        return live


class StreamRef(Struct, eq=False):
    """One stream of the app, from the call that opened it to its end."""

    call: Call
    events: Events
    texts: TextPieces  # worker's own: of messages that did not come whole yet
    steps: StepPieces  # worker's own, like `texts`
    run_id: str | None = None
    conversation_id: str | None = None
    first_token_ns: int | None = None
    first_token_since_ns: int | None = None
    unread: list[StreamDeltas] = field(default_factory=list)  # worker's own
    ids: tuple[StreamIds, StreamIds] | None = None  # worker's own: of messages, of steps
    is_told: bool = False  # worker's own: the event came behind which the server closes it
    parser: Parser | None = None  # worker's own, of a stream that the app reads as bytes
    broken: ApiError | None = None  # the `error` event of a stream that the app reads as bytes

    @classmethod
    def of(cls, call: Call, run_id: str | None = None, conversation_id: str | None = None) -> StreamRef:
        events = call.api.events
        if events is None:
            raise LookupError(f"{call.api.name} has no streams")
        texts, steps = events.new_texts(MAX_PARTIAL_CHARS), events.new_steps(MAX_PARTIAL_CHARS)
        return cls(call, events, texts, steps, run_id, conversation_id)


class Answered(Struct, eq=False):
    """A request brings the outputs of tool calls that runs asked for which are over."""

    server: Server
    at_ns: int
    answers: Answers


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


class WorkerTask(Struct, eq=False):
    """Something for the worker to do between records (flush, shutdown), with an answer."""

    act: Callable[[], None]
    can_be_spared: bool = False  # nothing is lost but time where it finds no room
