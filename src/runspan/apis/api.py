"""What an API is to the rest of runspan: one `Api` value, exported by each package under `apis/`.

`runtime/` and `clients/` import this module and nothing else of `apis/`. All that is the API's own (paths, statuses, names of
events and fields, headers) stands behind these types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from ..core.answers import Answers
from ..core.conversation import Conversation
from ..core.fields import Wire
from ..core.lifecycle import RunState
from ..core.model import ApiError, Observation, Phase, Run, RunKey, RunRequest, RunStep, Source, Vocabulary
from .objects import error_of_event
from .text_pieces import KeyOf
from .text_pieces import TextPieces as TextPieces

# ---------------------------------------------------------------- calls


class Route(Struct, frozen=True, gc=False):
    """One endpoint. `operation` names its call span; reads have a span only where `calls="all"`."""

    operation: str
    read: Reader
    is_write: bool = False
    starts_run: bool = False
    is_poll: bool = False  # a GET of one run, or of something that is indexed in the background
    cancels: bool = False  # the run waits for nothing any more
    answers_calls: bool = False  # brings the outputs of tool calls that the run waits for
    is_list: bool = False
    lists_runs: bool = False  # a page of runs is history, except for runs of this process
    is_apart: bool = False  # it tells nothing of runs and matters for its own span alone
    uploads: bool = False  # counted where a helper of the client does it
    gives_file: bool = False  # its answer is not read
    # What was sent says more than the answer; of all other calls it is not even copied.
    reads_body: bool = False
    # Where one URL is several endpoints: what is sent tells which. `sent(name)`: a field of the body.
    by_body: Callable[[Callable[[str], Any]], Match | None] | None = None
    only_answers: bool = False  # it is of no run; all that matters is that it brings outputs of tool calls


class Match(Struct, frozen=True, gc=False):
    """A call of an API: its endpoint, and the ids that stand in its path."""

    route: Route
    conversation_id: str | None = None
    run_id: str | None = None
    agent_id: str | None = None
    message_id: str | None = None
    object_id: str | None = None  # of what else the path names: a step, a file, a batch
    store_id: str | None = None


class Exchange(Struct, frozen=True, gc=False):
    """One finished call as decoded JSON. A page is `{"data": [...], "has_more": bool}`."""

    match: Match
    request_ns: int
    response_ns: int
    body: Wire = field(default_factory=dict)
    query: Wire = field(default_factory=dict)
    response: Wire = field(default_factory=dict)
    source: Source = Source.CALL
    polls: int = 0


Reader = Callable[[Exchange], Observation]

# ---------------------------------------------------------------- streams


class EventKind(str, Enum):
    """What the tap of a stream does with an event, decided by its name alone."""

    TEXT_DELTA = "text_delta"  # a piece of a message's text: nearly all of a stream
    TEXT_WHOLE = "text_whole"  # the text of the pieces before it, which some servers leave out
    STEP_DELTA = "step_delta"  # a piece of a step
    MESSAGE_BEGAN = "message_began"
    MESSAGE_ENDED = "message_ended"
    STEP_BEGAN = "step_began"
    STEP_ENDED = "step_ended"
    RUN = "run"  # it holds a run
    CALLS_WAIT = "calls_wait"  # it holds a run that waits for the outputs of tool calls
    ERROR = "error"
    OTHER = "other"
    SILENT = "silent"  # tells nothing that others don't tell, too


BEGINNINGS = frozenset({EventKind.MESSAGE_BEGAN, EventKind.STEP_BEGAN})
ENDS = frozenset({EventKind.MESSAGE_ENDED, EventKind.STEP_ENDED})
RUNS = frozenset({EventKind.RUN, EventKind.CALLS_WAIT})


class StepPieces:
    """Puts the tool calls of one stream's steps together from their deltas. This one knows none: its steps come whole."""

    def __init__(self, max_chars: int) -> None: ...

    def take(self, delta: Any, key_of: KeyOf) -> None:
        """One delta: a dict, or a model of the client."""

    def ended(self, key: str) -> None:
        """The step itself came, whole."""

    def steps(self, *, is_cut: bool) -> tuple[RunStep, ...]:
        """Steps that did not end. Not `is_cut`: the stream ended where it should, so the pieces are all there are."""
        return ()


class Events(Struct, frozen=True, gc=False):
    """How to read the events of a stream."""

    kinds: Mapping[str, EventKind]  # by the event's name
    unlisted: Callable[[str], EventKind | None]  # the kind of a name that `kinds` lacks
    waits_mark: str  # stands in each event of the kind CALLS_WAIT
    opened: Callable[[Any, Any], tuple[str, Any]]  # (name, data) as they came -> (name, object), unwrapped
    is_wrapped: Callable[[Any], bool]  # whether data under a known name still has something around them
    # (object, the event's name, times and ids as far as they are known) -> with what the event says; never of a delta.
    read: Callable[[Wire, Observation], Observation]
    # (message id, text) of a usual TEXT_DELTA; None: keep it whole.
    piece: Callable[[Any], tuple[str, str] | None]
    complete: Callable[[Exchange, Observation], Observation]  # adds what the request of the stream said
    new_texts: Callable[[int], TextPieces]  # given the most characters to keep
    new_steps: Callable[[int], StepPieces] = StepPieces
    error: Callable[[Any], ApiError] = error_of_event  # of an ERROR event
    # Where the app may answer calls before their run is told to wait: (ended step as JSON, run id) -> such a run, as JSON.
    asking: Callable[[bytes, str], bytes | None] = lambda _step, _run_id: None
    # Where a typed event of the client has its name, and its data (None: it is the data itself).
    name_field: str = "event"
    data_field: str | None = "data"

    def kind_of(self, name: str) -> EventKind | None:
        """None: the event has nothing to do with runs."""
        return self.kinds.get(name) or self.unlisted(name)


# ---------------------------------------------------------------- the whole


class FollowUp(Struct, frozen=True, gc=False):
    """A GET that brings what a run lacks. `query(max_messages)`: parameters."""

    path: Callable[[RunKey], str]
    query: Callable[[int], Mapping[str, object]] = lambda _: {}


RUN = "run"  # the follow-up that every API has: the run itself
USAGE = "usage"  # what no follow-up brings
# (state, conversation, whether content is kept) -> names of follow-ups
Lacks = Callable[[RunState, Conversation, bool], "list[str]"]


class Api(Struct, frozen=True, gc=False, eq=False):
    """One API."""

    name: str
    match: Callable[[str, str], Match | None]  # (HTTP method, URL or path)
    phases: Mapping[str, Phase] = field(default_factory=dict)  # by status
    vocabulary: Vocabulary = Vocabulary()
    read_request: Callable[[Wire, bool], RunRequest] = lambda _body, _streams: RunRequest()
    read_run: Callable[[Wire, str | None], Run | None] = lambda _object, _conversation_id: None
    conversation_field: str | None = None  # of a run object: the id of its conversation
    status_field: str = "status"  # of a run object
    paths_name_conversations: bool = False  # of runs: some servers number the runs of each conversation anew
    poll_fields: tuple[str, ...] = ()  # what is read of a polled run whose phase is neither WAITING nor OVER
    waits_mark: bytes = b""  # stands in the JSON of a run that waits for the outputs of tool calls
    calls_path: tuple[str, ...] = ()  # fields that lead from a run to what the app holds of its waiting calls
    events: Events | None = None
    follow_ups: Mapping[str, FollowUp] = field(default_factory=dict)
    # Follow-ups still needed, the most needed first.
    lacks: Lacks = lambda _state, _conversation, _captures: []
    # What the trace of a run that goes out lacks; `RUN` does not count, and usage is looked for besides.
    missing: Lacks = lambda _state, _conversation, _captures: []
    headers: Mapping[str, str] = field(default_factory=dict)  # that every request needs
    version_header: str | None = None  # where the app chose a version, our GETs send the same
    metadata_keys: int = 0  # the most that a run's metadata holds; 0: it has none
    helpers: Mapping[tuple[str, str], Route] = field(default_factory=dict)  # (class, method) -> one call
    # Each run has a log of its own: the conversation of its key is the run itself, and its request says which it belongs to.
    runs_apart: bool = False
    # Outputs of tool calls in the body of a request that starts a run or `only_answers`: runs that are over asked for them.
    answers: Callable[[Callable[[str], Any]], Answers] = lambda _sent: Answers()
    announced: Callable[[Wire], str | None] = lambda _event: None  # the run whose end a webhook's event tells
    beside_others: str = ""  # a sentence for the owner of an app that another tracer is in, too
    option: str | None = None  # of `instrument()`: how much of this API is traced
    variants: Mapping[str, Api | None] = field(default_factory=dict)  # by its value; None: nothing

    def run_key(self, server: str, run_id: str, conversation_id: str | None) -> tuple[str, str, str]:
        """Of a run in the registry."""
        return server, run_id, (conversation_id or "") if self.paths_name_conversations else ""

    def conversation_of(
        self, run_id: str, conversation_id: str, asked: RunRequest, named: str | None = None
    ) -> str:
        """As it is told to others. Where runs are apart: the one that the run names, else the one that is known here (`asked`)."""
        return named or asked.conversation_id or run_id if self.runs_apart else conversation_id

    def log_of(self, match: Match) -> str | None:
        """The conversation whose log a call's path names: where runs are apart, that of the run itself."""
        return match.conversation_id or (match.run_id if self.runs_apart else None)

    def phase_of(self, status: object) -> Phase | None:
        """None for no status, one of another type, or one that is not known."""
        return self.phases.get(status) if isinstance(status, str) else None


class Apis:
    """The APIs that are traced. The first one is meant where a carrier from another process names none."""

    def __init__(self, *apis: Api) -> None:
        self.first = apis[0]
        self._by_name = {api.name: api for api in apis}
        self.beside_others = "".join(f" {api.beside_others}" for api in apis if api.beside_others)
        self.helpers = {key: (api, route) for api in apis for key, route in api.helpers.items()}
        self.match = lru_cache(maxsize=2_048)(self._match)  # polls of a run repeat their URL

    def _match(self, method: str, url: str) -> tuple[Api, Match] | None:
        """Whose call this is and what it asks for; None: it belongs to none of them."""
        for api in self._by_name.values():
            match = api.match(method, url)
            if match is not None:
                return api, match
        return None

    def of_call(self, method: str, url: str, sent: Callable[[str], Any]) -> tuple[Api, Match] | None:
        """The same for one call, whose body may have a say."""
        found = self.match(method, url)
        if found is None or found[1].route.by_body is None:
            return found
        api, match = found[0], found[1].route.by_body(sent)
        return None if match is None else (api, match)

    def announced(self, event: Wire) -> str | None:
        """The run whose end an event of a webhook tells."""
        return next(filter(None, (api.announced(event) for api in self._by_name.values())), None)

    def chosen(self, options: Callable[[str], str]) -> Apis:
        """As the owner wants them: `options(name)` is the value of an option."""
        apis = (api.variants[options(api.option)] if api.option else api for api in self._by_name.values())
        return Apis(*filter(None, apis))

    def named(self, name: str | None) -> Api:
        return self._by_name.get(name or "", self.first)
