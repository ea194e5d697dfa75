"""Live runs as the app's threads and the worker both see them: `RunRegistry` owns all that they share.

The contract:

1. Any thread may call any method at any time, a signal handler and a finalizer too: nothing here takes a lock or waits.
2. A run has one entry, whoever comes first: the thread that saw its id (`learn`), or the worker (`follow`).
3. A run that was taken over has an entry before anybody knows its server (`expect`); `follow` and `arrive` give it one.
4. `forget` takes an entry out for good. What a thread that still holds it notes there is read by nobody.
5. A tool call is claimed once (`RunEntry.claim`); a run goes out or is given away, once (`RunEntry.settle`).
6. A poll that shows what the poll before it showed is counted (`RunEntry.touch`): no record, no wake-up of the worker.
7. The worker takes these polls (`RunEntry.take_polls`) before it reads anything newer of the run, and before it lets the run go.
8. A call that may change the run makes the next poll a new one (`RunEntry.renew`).
9. What is remembered of runs that are gone (`ended`, `handed`, `unsampled`) is bounded: the oldest goes first.
10. Some gateways call a run by another id in each answer. Its first id is its name here (`also`, `meant`).
11. A run that is over may still ask the app for tool calls (`park`): its entry can be found, and its calls claimed.
12. A request that starts a run is known (`began`) for as long as anybody has its call (`in_flight`).
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from ..core.model import ApiError, RunRequest
from .lru import Lru
from .recent import Recent
from .records import Call, LiveSpan

ANYWHERE = ""  # in place of the server, of a run that was taken over and not read here yet
MAX_GONE = 10_000  # runs of each kind that are remembered
MAX_PARKED = 1_000  # runs that are over and whose tool calls may still be answered
MAX_POLLS = 16  # that stand apart until the worker takes them; more of them are put together

Key = tuple[str, str, str]  # `Api.run_key`: server, run id, id of the conversation or ""
# The number of polls, request_ns of the first and of the last, response_ns of the last.
Polls = tuple[int, int, int, int]


@dataclass(slots=True, eq=False)
class RunEntry:
    """One live run: its span, its tool calls that are spans already, what polls show of it, and what becomes of it."""

    live: LiveSpan
    carrier: dict[str, str] | None = None  # with which it is given away
    errors: dict[str, ApiError] = field(default_factory=dict)  # by call id: what functions of the app raised
    waiting: frozenset[str] = frozenset()  # ids of the calls that wait, as it was last seen by anyone
    seen_ns: int | None = None  # when the app first saw that calls wait
    _claims: dict[str, object] = field(default_factory=dict)
    _outcome: dict[str, str] = field(default_factory=dict)
    _shown: object = None  # by the last poll
    _shown_since_ns: int = 0  # request_ns of the first poll that showed it
    _polls: list[Polls] = field(default_factory=list)  # few; an empty deque takes 600 bytes more

    def claim(self, call_id: str) -> bool:
        """Whether the caller makes the span of this tool call. True for the first who asks: one atomic step."""
        mine = object()
        return self._claims.setdefault(call_id, mine) is mine

    def claimed(self) -> tuple[str, ...]:
        """The calls that have their span already."""
        return tuple(self._claims)

    def settle(self, how: str) -> str:
        """ "emitted" or "handed": what the first who asked said."""
        return self._outcome.setdefault("outcome", how)

    def touch(self, shown: object, request_ns: int, response_ns: int) -> bool:
        """Count a poll. False: it shows something new, so the worker must read it."""
        if shown != self._shown:
            self._shown, self._shown_since_ns = shown, request_ns
            return False
        polls = (1, request_ns, request_ns, response_ns)
        if len(self._polls) >= MAX_POLLS:
            polls = self._with_newest(polls)
        self._polls.append(polls)
        return True

    def _with_newest(self, polls: Polls) -> Polls:
        """Put together with those that stand last: each is popped by one thread alone, so each counts once."""
        try:
            number, first_ns, asked_ns, answered_ns = self._polls.pop()
        except IndexError:  # the worker took them
            return polls
        if first_ns < self._shown_since_ns:  # of what was shown before
            self._polls.append((number, first_ns, asked_ns, answered_ns))
            return polls
        return number + 1, first_ns, max(asked_ns, polls[2]), max(answered_ns, polls[3])

    def renew(self) -> None:
        """The app made a call that may change the run."""
        self._shown = None

    def take_polls(self, until_ns: int | None = None) -> list[Polls]:
        """Those counted since the worker last asked, as far as they were asked before `until_ns`."""
        polls, taken = self._polls, []
        while polls and (until_ns is None or polls[0][1] < until_ns):
            taken.append(polls.pop(0))
        return taken


def unread(run_id: str) -> Key:
    """Of a run that was taken over and not read here yet."""
    return ANYWHERE, run_id, ""


class RunRegistry:
    def __init__(self) -> None:
        self._entries: dict[Key, RunEntry] = {}
        self.expected: set[str] = set()  # taken over and not read yet: worth a whole copy at the next call
        self.ended: Lru[str, Any] = Lru(MAX_GONE)  # run id -> SpanContext, for scores that come later
        self.handed: Lru[str, dict[str, str]] = Lru(MAX_GONE)  # run id -> headers, of runs given away
        self.unsampled = Recent[str, Any](MAX_GONE)  # run id -> SpanContext, of runs that are not recorded
        self.announced = Recent[str, bool](MAX_GONE)  # ids of runs whose end this process was told of
        self._parked = Recent[Key, RunEntry](MAX_PARKED)
        self._conversations = Recent[tuple[str, str], str](MAX_GONE)  # (server, run id) -> as told to others
        self._meant = Recent[tuple[str, str], str](MAX_GONE)  # (server, another id of a run) -> its first id
        self._has_other_ids = False  # nearly always, and each call asks
        self._in_flight: dict[int, weakref.ref[Call]] = {}  # by id of the call

    def began(self, call: Call) -> None:
        """A request that starts a run is about to be made."""
        key = id(call)
        self._in_flight[key] = weakref.ref(call, lambda _: self._in_flight.pop(key, None))

    def in_flight(self) -> list[Call]:
        """Calls that have a span and no run yet: of others a record is on its way. Listed as in `of_run`."""
        found = (self._in_flight.get(key) for key in list(self._in_flight))
        calls = (None if reference is None else reference() for reference in found)
        return [call for call in calls if call is not None and call.live is not None and call.learnt is None]

    def learn(self, key: Key, live: LiveSpan) -> RunEntry:
        """A run began with a call of this process."""
        entry = self._entries[key] = RunEntry(live)
        return entry

    def follow(self, key: Key, live: LiveSpan) -> RunEntry:
        """The entry of a run that this process accounts for, made if there is none."""
        taken_over = self._entries.get(unread(key[1]))
        return self._entries.setdefault(key, taken_over or RunEntry(live))

    def expect(self, run_id: str, live: LiveSpan, claimed: tuple[str, ...] = ()) -> RunEntry:
        """A run was taken over; `claimed`: its tool calls that have their span already."""
        entry = RunEntry(live)
        for call_id in claimed:
            entry.claim(call_id)
        self._entries[unread(run_id)] = entry
        self.expected.add(run_id)
        return entry

    def arrive(self, key: Key, entry: RunEntry) -> None:
        """A run was read here; it may have been taken over. One that is over is none to follow."""
        if self._parked.get(key) is not entry:
            self._entries.setdefault(key, entry)

    def followed(self, key: Key) -> RunEntry | None:
        """Of a live run that was read here; any other may be of another process."""
        return self._entries.get(key)

    def get(self, key: Key | None) -> RunEntry | None:
        """Also of a run that was taken over and not read here yet."""
        if key is None:
            return None
        return self._entries.get(key) or self._entries.get(unread(key[1])) or self._parked.get(key)

    def holds(self, key: Key, entry: RunEntry) -> bool:
        return self._entries.get(key) is entry or self._parked.get(key) is entry

    def of_run(self, run_id: str) -> RunEntry | None:
        """The run of that id, of whatever server. Keys are listed in one step; items would be made one by one, with the collector,
        finalizers and other threads in between.
        """
        keys = (key for key in list(self._entries) if key[1] == run_id)
        return next((entry for key in keys if (entry := self._entries.get(key))), None)

    def forget(self, key: Key) -> RunEntry | None:
        self.expected.discard(key[1])
        entry = self._entries.pop(key, None)
        if entry is not None and self._entries.get(unread(key[1])) is entry:
            self.forget_expected(key[1])
        return entry

    def park(self, key: Key, entry: RunEntry) -> None:
        """The run is over, and asked the app for tool calls: the next one brings their outputs."""
        self._parked.put(key, entry)

    @property
    def may_be_answered(self) -> bool:
        """Whether a run that is over, or nearly so, may wait for outputs of tool calls."""
        return bool(self._entries) or len(self._parked) > 0

    def is_announced(self, run_id: str | None) -> bool:
        """Whether this process was told that the run is over."""
        return run_id is not None and self.announced.get(run_id) is not None

    def is_in(self, server: str, run_id: str, conversation_id: str) -> None:
        """The run belongs to this conversation."""
        self._conversations.put((server, run_id), conversation_id)

    def also(self, server: str, run_id: str, other: str) -> None:
        """An answer about the run calls it `other`."""
        if self._meant.get((server, other)) != run_id:  # each poll may say so
            self._meant.put((server, other), run_id)
            self._has_other_ids = True

    def meant(self, server: str, run_id: str) -> str:
        """The first id of the run that is called so."""
        return (self._meant.get((server, run_id)) or run_id) if self._has_other_ids else run_id

    def placed(self, server: str, asked: RunRequest) -> RunRequest:
        """With the conversation of the run that it goes on with: as it is known here, else named by that run."""
        if asked.conversation_id is not None or asked.continues is None:
            return asked
        continues = self.meant(server, asked.continues)
        known = self._conversations.get((server, continues))
        return replace(asked, continues=continues, conversation_id=known or continues)

    def conversation_of(self, server: str, run_id: str) -> str | None:
        return self._conversations.get((server, run_id))

    def forget_expected(self, run_id: str) -> None:
        """What was taken over turned out to be a run that is followed already."""
        self._entries.pop(unread(run_id), None)

    def __len__(self) -> int:
        """How many live runs something is kept of."""
        return max(len(self._entries), len(self.expected))
