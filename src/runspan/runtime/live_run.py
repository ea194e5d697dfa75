"""One live run of ours: its state, its span, and what it still waits for."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from ..apis.api import Api
from ..core.ids import StreamIds
from ..core.lifecycle import RunState
from ..core.model import Observation, Run, RunKey, RunRequest
from .records import BackgroundClient, Call, LiveSpan
from .registry import Key, RunEntry, unread

SECOND_NS = 1_000_000_000

DEFAULT_LIFE_S = 15 * 60  # where the creating response has no expires_at
GRACE_S = 60
NOT_FOUND = "not_found"
FIRST_LOOK_S = 60

Ids = tuple[StreamIds, StreamIds]  # of messages, of steps

BASE_WEIGHT = 4_096  # bytes of one live run beside its texts, measured in `make bench`


@dataclass(slots=True, eq=False)
class Live:
    """The worker's own, but for `entry`. Times are on the one clock."""

    api: Api
    state: RunState
    span: LiveSpan
    entry: RunEntry  # what the app's threads know of it
    via: BackgroundClient | None
    expires_ns: int  # time to live: then it goes out as expired_unseen
    last_heard_ns: int
    look_after_ns: int = FIRST_LOOK_S * SECOND_NS  # silence before the owner looks itself; doubles
    due_ns: int = 0  # the next thing to do for it; timers of other times are stale
    ended_ns: int | None = None  # when its end came to our knowledge: the linger starts
    open_streams: int = 0  # those that may still tell something
    claim: Observation | None = None  # says that it is over, while a stream of it is open
    claimed_ns: int = 0
    _ids: Ids | None = None
    closed_early: bool = False  # a stream of it was closed before its end was seen
    asked: set[str] = field(default_factory=set)  # GETs sent and not answered yet
    tried: set[str] = field(default_factory=set)  # GETs answered, well or not
    gone_ns: int | None = None  # when its server said that it knows no such run
    gone: str | None = None  # why nothing more will be heard of it but by its open streams
    noted_error: int | None = None  # identity of the handler's exception that is noted already
    weight: int = BASE_WEIGHT

    @property
    def key(self) -> RunKey:
        return self.state.key

    @property
    def ids(self) -> Ids:
        """Of what its latest stream tells; most runs have none."""
        if self._ids is None:  # others write messages in the thread, too
            self._ids = StreamIds(self.key.run_id), StreamIds()
        return self._ids

    def is_told_anew(self) -> None:
        """A stream tells it from its beginning again."""
        self._ids = None

    def heard(self, now_ns: int) -> None:
        """The app itself saw it alive: where the API names no end, its time begins anew."""
        self.gone_ns = None
        if self.state.run.expires_at is None:
            self.expires_ns = max(self.expires_ns, now_ns + time_to_live_ns(self.state))

    def next_look_ns(self) -> int:
        """How long to be silent before the look after this one: twice as long, within an eighth of the server's time."""
        window_s = self.state.request.window_s
        longest_ns = max(window_s * SECOND_NS // 8, FIRST_LOOK_S * SECOND_NS) if window_s else 2**62
        return min(self.look_after_ns * 2, longest_ns)

    def ending(self, unseen: str) -> str | None:
        """Why it goes out unfinished, if it does; `unseen` where no closed stream is the reason."""
        if self.state.is_over:
            return None
        if self.gone is not None or self.gone_ns is not None:
            return self.gone or NOT_FOUND
        return "stream_closed" if self.closed_early and unseen != "evicted" else unseen


def time_to_live_ns(state: RunState) -> int:
    run = state.run
    seconds = state.request.window_s or DEFAULT_LIFE_S
    if (
        run.expires_at is not None
        and run.created_at is not None
        and 0 < run.expires_at - run.created_at < 7 * 86_400
    ):
        seconds = run.expires_at - run.created_at
    return (seconds + GRACE_S) * SECOND_NS


def first_state(call: Call, key: RunKey, request: RunRequest, run: Run, response_ns: int) -> RunState:
    """Before its first status is taken in; that comes with the observation of the same response."""
    shown = call.api.conversation_of(run.id, run.conversation_id, request)
    return RunState(
        key=key,
        server=call.server,
        vocabulary=call.api.vocabulary,
        api=call.api.name,
        shown_conversation_id=shown if shown != key.conversation_id else None,
        phase=request.first_phase,
        request=request,
        request_ns=call.request_ns,
        response_ns=response_ns,
        run=replace(run, status=None, phase=None),
        last_alive_ns=call.request_ns,
        last_seen_ns=response_ns,
        created_at=run.created_at,
    )


def registry_key(api: Api, key: RunKey) -> Key:
    return api.run_key(key.server, key.run_id, key.conversation_id) if key.server else unread(key.run_id)
