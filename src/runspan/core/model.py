"""The words of the project: what the API says, what was observed of it, what becomes a span.

Everything here is a frozen value. Local times are nanoseconds since the epoch on our one clock (`*_ns`), server stamps are
whole Unix seconds on the server's clock (`*_at`). `None` means that the API left it out or nobody has told us yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from .phases import Outcome as Outcome
from .phases import Phase as Phase
from .phases import Vocabulary as Vocabulary

# ---------------------------------------------------------------- what the API says


class Usage(Struct, frozen=True, gc=False):
    """Tokens billed for one Run (`Run.usage`, null until the run is over). Totals include their parts."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None  # part of prompt_tokens
    reasoning_tokens: int | None = None  # part of completion_tokens
    cache_write_tokens: int | None = None  # part of prompt_tokens


MODEL_CALL = "model_call"  # the type of a step that tells what one call of the model used, and nothing else
EMPTY: Mapping[str, Any] = {}  # shared: most parts have nothing beside their text


class Part(Struct, frozen=True, gc=False):
    """One content part of a Message. `type` is the API's own; `text` holds the text of `text` and `refusal`.

    Everything else that the part said is in `fields` by its wire names, so no part is ever lost, known type or not.
    The parts of a Run's tool calls and their results among its outputs hold the `call`.
    """

    type: str
    text: str | None = None
    fields: Mapping[str, object] = field(default_factory=lambda: EMPTY)
    call: ToolCall | None = None


class Document(Struct, frozen=True, gc=False):
    """One hit of a search. Of a Run's own searches `text` is there only where the app asked for it (`include=`)."""

    file_id: str | None
    file_name: str | None = None
    score: float | None = None  # 0 to 1
    text: str | None = None
    original_length: int | None = None  # of `text`, where it was cut


class ToolCall(Struct, frozen=True, gc=False):
    """One call of a tool, from a run that waits, from a step, or from the answer of the app (then without name)."""

    id: str
    type: str = "function"
    name: str | None = None
    arguments: str | None = None  # as the API gave it: JSON text for functions, code for code_interpreter
    output: str | None = None  # of a function
    outputs: tuple[Part, ...] = ()  # of code_interpreter: `logs` with their text, `image` with its file_id
    documents: tuple[Document, ...] = ()  # of file_search
    is_incomplete: bool = False  # known from the pieces of a stream that was cut
    # Of arguments, output where cut.
    original_length: Mapping[str, int] = field(default_factory=lambda: EMPTY)


class Message(Struct, frozen=True, gc=False):
    """A Message of a thread. `run_id` names the Run that wrote it; null for those the app wrote.

    `id` is empty for a message that is only known from a request body (`additional_messages`).
    """

    id: str
    role: str
    parts: tuple[Part, ...] = ()
    created_at: int | None = None
    run_id: str | None = None
    is_growing: bool = False  # the API says that more of it is to come
    outcome: Outcome | None = None  # COMPLETED or INCOMPLETE, where the API says so
    incomplete_reason: str | None = None  # the API's own word
    finish_reason: str | None = None  # of GenAI, where the API says why the message stopped early
    sent_ns: int | None = None  # local time of the request by which this process created it
    original_length: int | None = None  # characters of its texts, where they were cut together


class ApiError(Struct, frozen=True, gc=False):
    """Why a run, a step or a call failed: what the API says, or the class of an exception of the client."""

    code: str
    message: str | None = None


class RunStep(Struct, frozen=True, gc=False):
    """One step of a Run: `message_creation` or `tool_calls` (or a type of later days), or MODEL_CALL."""

    id: str
    type: str
    status: str | None = None  # the API's own word
    outcome: Outcome | None = None
    message_id: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    error: ApiError | None = None
    usage: Usage | None = None
    created_at: int | None = None
    ended_at: int | None = None  # completed_at, failed_at, cancelled_at or expired_at
    seen_ns: int | None = None  # stream: arrival of its first event
    done_ns: int | None = None  # stream: arrival of its last event
    seen_since_ns: int | None = None  # the server sent it then at the earliest; None: when it arrived
    done_since_ns: int | None = None
    is_asked_of_app: bool = False  # the app answers it after the run: its span is no part of the run's


class Agent(Struct, frozen=True, gc=False):
    """What an Assistant object said of itself."""

    id: str
    name: str | None = None
    description: str | None = None
    model: str | None = None
    data_source_ids: tuple[str, ...] = ()  # of tool_resources.file_search
    file_ids: tuple[str, ...] = ()  # of the API's first version


class Run(Struct, frozen=True, gc=False):
    """A Run object as one response or event gave it."""

    id: str
    conversation_id: str
    status: str | None = None  # the API's own word
    phase: Phase | None = None  # None: no status, or one that the API package does not know
    outcome: Outcome | None = None  # set when `phase` is OVER
    agent_id: str | None = None
    model: str | None = None
    instructions: str | None = None
    tools: tuple[Mapping[str, object], ...] = ()
    required: tuple[ToolCall, ...] = ()  # calls whose outputs it waits for
    usage: Usage | None = None
    error: ApiError | None = None
    incomplete_reason: str | None = None  # the API's own word
    finish_reason: str | None = None  # of GenAI: length, content_filter; None: `outcome` decides
    created_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None  # completed_at, failed_at or cancelled_at; expires_at of an expired run
    expires_at: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    # Temperature, top_p, max_completion_tokens ...
    settings: Mapping[str, object] = field(default_factory=dict)
    file_ids: tuple[str, ...] = ()  # of the API's first version
    carried: str | None = None  # our own key of its metadata: see `core.run_context`
    belongs_to: str | None = None  # the conversation that it names, where each run has a log of its own


class RunRequest(Struct, frozen=True, gc=False):
    """What the app asked for in `POST .../runs`: the parts that no Run object gives back."""

    model: str | None = None
    agent_id: str | None = None
    additional_instructions: str | None = None
    additional_messages: tuple[Message, ...] = ()
    stream: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)  # reasoning_effort, response_format ...
    data_source_ids: tuple[str, ...] = ()  # of tool_resources.file_search
    agent_name: str | None = None  # where the request names the agent
    is_model_call: bool = False  # without an agent: the run's span is the generation itself
    is_immediate: bool = False  # the server is at work from the request on: it never queues
    # Where each run has a log of its own: which conversation it belongs to.
    conversation_id: str | None = None
    continues: str | None = None  # id of the run whose conversation it goes on with
    window_s: int | None = None  # how long the server may take, where the request says so

    @property
    def first_phase(self) -> Phase:
        return Phase.ACTIVE if self.is_immediate else Phase.REQUESTED

    def without_texts(self) -> RunRequest:
        return replace(self, additional_instructions=None, additional_messages=())


# ---------------------------------------------------------------- what was observed


class Source(str, Enum):
    """Who brought an observation: a call of the app, an event of a stream of the app, or our own background fetch."""

    CALL = "call"
    STREAM = "stream"
    FETCH = "fetch"


class Listing(Struct, frozen=True, gc=False):
    """What a page of messages covers."""

    from_start: bool  # nothing of the thread lies before its first message
    to_end: bool  # nothing of the thread lay after its last message when it was read
    run_id: str | None = None  # the page was filtered by this run
    follows: str | None = None  # the message before its first (a cursor says so)
    precedes: str | None = None  # the message after its last
    is_ordered: bool = False  # stamps tell the order of its messages; else it is what was asked for


class Stored(Struct, frozen=True, gc=False):
    """A file, a vector store, a file of one, or a batch of such files, as a path and an answer told of it.

    Vector stores index what is put into them in the background: `status` and `counts` say how far that is.
    """

    file_id: str | None = None
    file_name: str | None = None
    file_bytes: int | None = None
    purpose: str | None = None
    store_id: str | None = None
    store_name: str | None = None
    batch_id: str | None = None
    status: str | None = None  # the API's own word
    counts: Mapping[str, int] = field(default_factory=dict)  # of files, by status, and in total
    error: ApiError | None = None  # why a file could not be indexed


class Search(Struct, frozen=True, gc=False):
    """A search in a vector store, and what it found."""

    queries: tuple[str, ...] = ()
    top_k: int | None = None
    documents: tuple[Document, ...] = ()


class Observation(Struct, frozen=True, gc=False, kw_only=True):
    """What one call or one stream event told us. It was true at some moment of [request_ns, response_ns].

    For a stream event the former is the earliest moment at which the server can have sent it, the latter its arrival; they are
    equal where the app waited for it.
    """

    request_ns: int
    response_ns: int
    source: Source = Source.CALL
    event: str | None = None  # name of the stream event
    # The status in that name, where the object of an open stream says that all is over.
    open_status: str | None = None
    polls: int = 0  # how many GETs of the run this stands for (coalesced polls count each)
    conversation_id: str | None = None
    created_conversation: bool = False  # the thread began with this call
    runs: tuple[Run, ...] = ()
    messages: tuple[Message, ...] = ()
    listing: Listing | None = None
    deleted_message_id: str | None = None
    steps: tuple[RunStep, ...] = ()
    all_steps: bool = False  # steps hold every step of the run
    is_ordered: bool = False  # stamps tell the order of the steps; else it is what was asked for
    run_id: str | None = None  # the run that steps and outputs belong to
    outputs: tuple[ToolCall, ...] = ()  # of tool calls, as the app sent them
    data_source_ids: tuple[str, ...] | None = None  # of the thread
    agents: tuple[Agent, ...] = ()
    stored: Stored | None = None
    search: Search | None = None
    gone: str | None = None  # why nothing more will ever be heard of the run `run_id`


# ---------------------------------------------------------------- what becomes a span


class SpanEvent(Struct, frozen=True, gc=False):
    """A moment on a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)


class Server(Struct, frozen=True, gc=False):
    """Where a client sends its calls."""

    base_url: str  # identity of the server in keys, never exported
    host: str | None
    port: int | None
    provider: str  # openai | azure.ai.openai


class RunKey(Struct, frozen=True, gc=False):
    """A Run is one thing on one server."""

    server: str
    conversation_id: str
    run_id: str


USD = "USD"


class Cost(Struct, frozen=True, gc=False):
    """What the tokens of one Run cost, by a price list of a known date. An estimate, not the bill."""

    input: float  # cached tokens at their own price included
    output: float  # reasoning tokens included
    total: float
    currency: str = USD
    source: str | None = None  # the price list: a library with its version, or `user`
    date: str | None = None  # ISO date of the price list; user prices may have none
    assumed: tuple[str, ...] = ()  # what the list has no prices for: `completion_window=soonest`


class RunFacts(Struct, frozen=True, gc=False):
    """What the run span and the generation span say, in the API's words. Texts are redacted and cut already."""

    server: Server
    request: RunRequest
    run: Run | None = None  # None: the POST failed, there is no Run
    agent: Agent | None = None
    unfinished: str | None = None  # why the end was never seen
    missing: tuple[str, ...] = ()  # of `messages`, `steps`, `usage`: what was neither told nor fetched
    origin: str | None = None  # adopted
    finish_reason: str | None = None
    queue_s: float | None = None
    active_s: float | None = None
    tool_wait_s: float | None = None
    detection_lag_s: float | None = None
    end_uncertainty_s: float | None = None
    first_chunk_s: float | None = None
    first_chunk_ns: int | None = None  # the same moment on our clock
    polls: int | None = 0  # None: of a run that was imported nobody knows
    instructions: tuple[str, ...] = ()
    instructions_length: int | None = None  # characters before they were cut
    inputs: tuple[Message, ...] = ()
    omitted_inputs: int = 0
    has_all_inputs: bool = True  # False: the thread's beginning is not known
    outputs: tuple[Message, ...] = ()  # texts, tool calls and their results, in order
    data_source_id: str | None = None  # the vector store, where there is exactly one
    captured: bool = True  # False: texts were not kept
    api: str | None = None  # name of the API
    cost: Cost | None = None  # None: no usage, or no price known for the model


class ToolFacts(Struct, frozen=True, gc=False):
    """One tool call, with the step it belongs to."""

    server: Server
    call: ToolCall
    step_id: str | None = None
    conversation_id: str | None = None
    step_status: str | None = None
    usage: Usage | None = None  # of the step, on the first of its calls: so sums over spans hold
    description: str | None = None  # of the function, from the Run's tools
    data_source_id: str | None = None  # the vector store, where there is exactly one
    is_untimed: bool = False  # nobody told when it ran: its span is as long as its run was at work


class CallFacts(Struct, frozen=True, gc=False):
    """One write that the app made: create, update, delete, cancel, submit, upload, search.

    `polls` and `uploads` are those of a helper of the client, which is one call of the app.
    """

    server: Server
    conversation_id: str | None = None
    run_id: str | None = None
    message_id: str | None = None
    agent: Agent | None = None
    model: str | None = None
    stored: Stored | None = None
    search: Search | None = None
    polls: int | None = None
    uploads: int | None = None


class SpanKind(str, Enum):
    """The kinds of spans that runs and calls become."""

    RUN = "run"
    GENERATION = "generation"
    MODEL_CALL = "model_call"  # a run and its generation in one
    TOOL = "tool"
    CALL = "call"


# Where the facts of a run stand, one span each; and where model, usage, cost and messages stand.
OF_RUNS = frozenset({SpanKind.RUN, SpanKind.MODEL_CALL})
OF_MODELS = frozenset({SpanKind.GENERATION, SpanKind.MODEL_CALL})


class SpanData(Struct, frozen=True, gc=False):
    """A span before any convention has named anything but its operation (`gen_ai.operation.name`)."""

    kind: SpanKind
    operation: str
    start_ns: int
    end_ns: int
    facts: RunFacts | ToolFacts | CallFacts
    error: ApiError | None = None
    events: tuple[SpanEvent, ...] = ()
    children: tuple[SpanData, ...] = ()
    elsewhere: tuple[SpanData, ...] = ()  # tool calls whose span the app's own function is
    event_facts: RunFacts | None = None  # with content, where content goes on a log record
