"""Tool calls that wait for the app, and which of them a function of the app answers.

A poll or an event that shows a run of ours wait leaves its calls here, on the caller's thread, for
`@observe(kind="tool")`. A function takes a call only with proof that both belong to one unit of work:

- The context of the function saw the run ask: it is that context, or was copied from it (a task, a job of a thread pool).
- Nothing says that the unit of work is another one by now: no other trace, user or session, no other job of a loop.
- The app still holds the object in which it got the calls, or the span in which they were seen is still open around the function.
- No other run meets these conditions, and none asked here since.

Otherwise the function has a span of its own, outside of any run: also where one thread serves two users, and the first went away.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from ..core import ids
from ..core.answers import Answers
from ..core.model import Run, ToolCall
from . import work_unit
from .registry import Key, RunEntry, RunRegistry
from .work_unit import WorkUnit

MAX_RUNS = 256  # of one context; beyond it the oldest goes

Held = list[weakref.ref[Any]]  # objects in which the app got a run's calls; more may come


@dataclass(frozen=True, slots=True)
class Pending:
    """One call that waits. `arguments` is what the model wrote, which may be no JSON at all."""

    key: Key
    conversation_id: str | None
    call_id: str  # a key of `core.ids`: several calls may have one id
    name: str
    arguments: str
    of: RunEntry
    since_ns: int = 0  # when it was seen to wait


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A run was seen to wait for these calls."""

    of: RunEntry
    calls: tuple[Pending, ...]
    unit: WorkUnit  # where
    held: Held

    def is_held(self) -> bool:
        return any(thing() is not None for thing in self.held)

    def is_proven_at(self, now: WorkUnit) -> bool:
        return self.unit.may_go_on_at(now) and (self.is_held() or self.unit.is_around(now))

    def waiting(self) -> tuple[Pending, ...]:
        return tuple(call for call in self.calls if call.call_id in self.of.waiting)


Seen = tuple[Sighting, ...]  # the newest last

# Of the running context. A pool's job has what the submitting one saw; what it sees itself is forgotten with it.
SEEN: ContextVar[Seen] = ContextVar("runspan-pending", default=())


def waiting_of(of: RunEntry) -> tuple[Pending, ...]:
    """The calls of a run that wait, as far as the running context saw it ask."""
    return next((sighting.waiting() for sighting in SEEN.get() if sighting.of is of), ())


def saw(
    of: RunEntry,
    calls: Iterable[Pending],
    held: Held | None = None,
    unit: WorkUnit | None = None,
    *,
    is_part: bool = False,
) -> None:
    """A run waits for these calls; the app got them in `held`. What can't be proven any more is forgotten.

    `is_part`: those that it was seen to wait for before, wait on.
    """
    before = next((seen.calls for seen in SEEN.get() if seen.of is of), ()) if is_part else ()
    told = tuple(_apart(call, before) for call in calls)
    now = Sighting(of, told, work_unit.here() if unit is None else unit, [] if held is None else held)
    waiting = frozenset(call.call_id for call in now.calls)
    of.waiting = of.waiting | waiting if is_part else waiting
    if of.seen_ns is None and now.calls:
        of.seen_ns = now.calls[0].since_ns
    kept = []
    for sighting in SEEN.get():
        if sighting.of is of:
            now = _with(sighting, now) if is_part else _again(sighting, now)
        elif sighting.waiting() and (sighting.is_held() or sighting.unit.is_around(now.unit)):
            kept.append(sighting)
    SEEN.set((*kept[-MAX_RUNS + 1 :], now))


def _apart(call: Pending, before: tuple[Pending, ...]) -> Pending:
    """One that comes by itself, under a key of its own: the server may have given another call the same id."""
    alike = {(c.name, c.arguments) for c in before if ids.shown(c.call_id) == ids.shown(call.call_id)}
    if not alike or (call.name, call.arguments) in alike:  # told again
        return call
    return replace(call, call_id=ids.numbered(ids.shown(call.call_id), len(alike)))


def _again(before: Sighting, now: Sighting) -> Sighting:
    """The app may go on with what it got at the first sight of the same calls, and inside the span of then."""
    if {call.call_id for call in before.calls} != now.of.waiting:
        return now
    now.held.extend(thing for thing in before.held if thing() is not None)
    return replace(now, unit=before.unit) if before.unit.is_around(now.unit) else now


def _with(before: Sighting, now: Sighting) -> Sighting:
    """All calls of both; the app may hold any of them."""
    before.held.extend(now.held)
    return replace(now, calls=before.calls + now.calls, held=before.held)


def waits_no_more(of: RunEntry | None) -> None:
    """The outputs went out, or the run was seen in another status: no context may take its calls."""
    if of is not None and of.waiting:
        of.waiting = frozenset()


def answered(server: str, answers: Answers) -> None:
    """The outputs of these calls went out, of whatever runs."""
    told = {output.id for output in answers.outputs}
    for sighting in SEEN.get():
        for of in sighting.waiting():
            call = ToolCall(of.call_id, name=of.name, arguments=of.arguments)
            is_meant = ids.shown(of.call_id) in told and of.key[0] == server
            if is_meant and answers.are_of(call, of.key[1], of.conversation_id):
                sighting.of.waiting -= {of.call_id}


def calls_of(run: Run, conversation_id: str, key: Key, of: RunEntry, since_ns: int) -> list[Pending]:
    """The function calls of a run that waits."""
    return [
        Pending(key, conversation_id, call.id, call.name, call.arguments or "{}", of, since_ns)
        for call in run.required
        if call.id and call.name
    ]


def take(name: str, given: Mapping[str, Any], registry: RunRegistry) -> Pending | None:
    """The waiting call that a function of this name, called with `given`, answers: same arguments first, else call order."""
    asked = [
        (sighting, calls)
        for sighting in SEEN.get()
        if (calls := [c for c in sighting.waiting() if c.name == name and registry.holds(c.key, c.of)])
    ]
    if not asked:
        return None
    of = _proven([sighting for sighting, _ in asked], work_unit.here())
    named = [call for sighting, calls in asked for call in calls if sighting is of]
    if len(named) > 1:
        named.sort(key=lambda p: not _are_equal(p.arguments, given))  # stable: call order within each half
    return next((p for p in named if p.of.claim(p.call_id)), None)


def _proven(sightings: list[Sighting], now: WorkUnit) -> Sighting | None:
    """The only run whose calls the running function can answer; None where there is none, or a doubt."""
    here = [sighting for sighting in sightings if not sighting.unit.is_another_than(now)]
    proven = [sighting for sighting in here if sighting.is_proven_at(now)]
    if not proven or proven[-1] is not here[-1]:  # the last run that asked here may be the one
        return None
    if proven[-1].is_held():  # the app went on to this run and let go of those before
        proven = [sighting for sighting in proven if sighting.is_held()]
    if len(proven) == 1:
        return proven[0]
    inside = [sighting for sighting in proven if sighting.unit.is_around(now)]
    if len(inside) != 1:
        return None
    others = (sighting for sighting in proven if sighting is not inside[0])
    return inside[0] if all(other.unit.is_apart_from(inside[0].unit) for other in others) else None


def _are_equal(arguments: str, given: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(arguments) == given)
    except Exception:  # no JSON, or values of the app that do not let themselves be compared
        return False
