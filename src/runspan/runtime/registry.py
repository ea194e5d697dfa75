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
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..core.model import ApiError
from .lru import Lru
from .recent import Recent
from .records import LiveSpan

ANYWHERE = ""  # in place of the server, of a run that was taken over and not read here yet
MAX_GONE = 10_000  # runs of each kind that are remembered
MAX_POLLS = 16  # counted ones that wait for the worker; the next poll is a record

Key = tuple[str, str]  # server, run id
Times = tuple[int, int]  # request_ns, response_ns


@dataclass(slots=True, eq=False)
class RunEntry:
    """One live run: its span, its tool calls that are spans already, what polls show of it, and what becomes of it."""

    live: LiveSpan
    carrier: dict[str, str] | None = None  # with which it is given away
    errors: dict[str, ApiError] = field(default_factory=dict)  # by call id: what functions of the app raised
    waiting: frozenset[str] = frozenset()  # ids of the calls that wait, as it was last seen by anyone
    _claims: dict[str, object] = field(default_factory=dict)
    _outcome: dict[str, str] = field(default_factory=dict)
    _shown: object = None  # by the last poll
    _polls: deque[Times] = field(default_factory=deque)

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
        """Count a poll. False: it shows something new (or too many wait), so the worker must read it."""
        if shown != self._shown:
            self._shown = shown
            return False
        if len(self._polls) >= MAX_POLLS:
            return False
        self._polls.append((request_ns, response_ns))
        return True

    def renew(self) -> None:
        """The app made a call that may change the run."""
        self._shown = None

    def take_polls(self, until_ns: int | None = None) -> list[Times]:
        """Those counted since the worker last asked, as far as they were asked before `until_ns`."""
        polls, taken = self._polls, []
        while polls and (until_ns is None or polls[0][0] < until_ns):
            taken.append(polls.popleft())
        return taken


class RunRegistry:
    def __init__(self) -> None:
        self._entries: dict[Key, RunEntry] = {}
        self._ids: set[str] = set()  # of runs whose server is known
        self.expected: set[str] = set()  # taken over and not read yet: worth a whole copy at the next call
        self.ended: Lru[str, Any] = Lru(MAX_GONE)  # run id -> SpanContext, for scores that come later
        self.handed: Lru[str, dict[str, str]] = Lru(MAX_GONE)  # run id -> headers, of runs given away
        self.unsampled = Recent[str, Any](MAX_GONE)  # run id -> SpanContext, of runs that are not recorded

    def learn(self, server: str, run_id: str, live: LiveSpan) -> RunEntry:
        """A run began with a call of this process."""
        entry = self._entries[server, run_id] = RunEntry(live)
        self._ids.add(run_id)
        return entry

    def follow(self, server: str, run_id: str, live: LiveSpan) -> RunEntry:
        """The entry of a run that this process accounts for, made if there is none."""
        self._ids.add(run_id)
        taken_over = self._entries.get((ANYWHERE, run_id))
        return self._entries.setdefault((server, run_id), taken_over or RunEntry(live))

    def expect(self, run_id: str, live: LiveSpan, claimed: tuple[str, ...] = ()) -> RunEntry:
        """A run was taken over; `claimed`: its tool calls that have their span already."""
        entry = RunEntry(live)
        for call_id in claimed:
            entry.claim(call_id)
        self._entries[ANYWHERE, run_id] = entry
        self.expected.add(run_id)
        return entry

    def arrive(self, key: Key, entry: RunEntry) -> None:
        """A run was read here; it may have been taken over."""
        self._entries.setdefault(key, entry)

    def knows(self, run_id: str | None) -> bool:
        return run_id in self._ids

    def may_meet(self, run_id: str | None) -> bool:
        """Whether a call may be the first here to see this run of another process."""
        return run_id is not None and (run_id not in self._ids or run_id in self.expected)

    def get(self, server: str, run_id: str) -> RunEntry | None:
        """Also of a run that was taken over and not read here yet."""
        return self._entries.get((server, run_id)) or self._entries.get((ANYWHERE, run_id))

    def holds(self, key: Key, entry: RunEntry) -> bool:
        return self._entries.get(key) is entry

    def of_run(self, run_id: str) -> RunEntry | None:
        """The run of that id, of whatever server. Keys are listed in one step; items would be made one by one, with the collector,
        finalizers and other threads in between.
        """
        keys = (key for key in list(self._entries) if key[1] == run_id)
        return next((entry for key in keys if (entry := self._entries.get(key))), None)

    def forget(self, server: str, run_id: str) -> RunEntry | None:
        self._ids.discard(run_id)
        self.expected.discard(run_id)
        entry = self._entries.pop((server, run_id), None)
        if entry is not None and self._entries.get((ANYWHERE, run_id)) is entry:
            self.forget_expected(run_id)
        return entry

    def forget_expected(self, run_id: str) -> None:
        """What was taken over turned out to be a run that is followed already."""
        self._entries.pop((ANYWHERE, run_id), None)

    def __len__(self) -> int:
        """How many live runs something is kept of."""
        return max(len(self._entries), len(self._ids), len(self.expected))
