"""Tool calls that wait for the app, as far as the running context has seen them.

A poll or an event that shows a Run of ours in `requires_action` leaves its calls here, on the caller's thread, for
`@observe(kind="tool")`. What another context saw stays there, so one user's tools never land in another user's run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any

from ..core.model import ApiError, Run

ANYWHERE = ""  # in place of the server, of a run that was taken over and not read here yet
MAX_RUNS = 256  # of one context; beyond it the oldest goes


@dataclass(slots=True, eq=False)
class Claimable:
    """A live run's span, and who makes the span of each of its calls: whoever comes first, the tool or the assembly.

    And what becomes of the run itself: emitted here, or given away with `carrier`.
    """

    live: Any
    carrier: dict[str, str] | None = None
    errors: dict[str, ApiError] = field(default_factory=dict)  # by call id: what functions of the app raised
    _claims: dict[str, object] = field(default_factory=dict)

    def claim(self, call_id: str) -> bool:
        """True for the first who asks. One atomic step, so no lock."""
        mine = object()
        return self._claims.setdefault(call_id, mine) is mine

    def claimed(self) -> tuple[str, ...]:
        """The calls that have their span already."""
        return tuple(call_id for call_id in list(self._claims) if call_id)

    def settle(self, how: str) -> str:
        """ "emitted" or "handed": what the first who asked said."""
        return str(self._claims.setdefault("", how))


def of_run(runs: Mapping[tuple[str, str], Claimable], run_id: str) -> Claimable | None:
    """The run of that id, of whatever server. On any thread: keys are listed in one step, where items would each be a new object,
    with the collector, finalizers and other threads in between.
    """
    return next((found for key in list(runs) if key[1] == run_id and (found := runs.get(key))), None)


@dataclass(frozen=True, slots=True)
class Pending:
    """One call that waits. `arguments` is what the model wrote, which may be no JSON at all."""

    key: tuple[str, str]  # server, run id
    thread_id: str | None
    call_id: str
    name: str
    arguments: str
    of: Claimable
    since_ns: int = 0  # when it was seen to wait


_seen: ContextVar[tuple[Pending, ...]] = ContextVar("runspan-pending", default=())


def seen() -> tuple[Pending, ...]:
    return _seen.get()


def carry(calls: tuple[Pending, ...]) -> Token[tuple[Pending, ...]]:
    """What the submitting context saw, in a pool's thread until `put_down`."""
    return _seen.set(calls)


def put_down(token: Token[tuple[Pending, ...]]) -> None:
    _seen.reset(token)


def saw(key: tuple[str, str], calls: Iterable[Pending]) -> None:
    """A Run waits for these calls; what was seen of it before is replaced."""
    kept = [p for p in _seen.get() if p.key != key]
    oldest = list(dict.fromkeys(p.key for p in kept))[: -MAX_RUNS + 1]
    _seen.set((*(p for p in kept if p.key not in oldest), *calls))


def submitted(key: tuple[str, str]) -> None:
    """The outputs went out: its calls wait no more."""
    before = _seen.get()
    if before:
        _seen.set(tuple(p for p in before if p.key not in (key, (ANYWHERE, key[1]))))


def calls_of(run: Run, key: tuple[str, str], of: Claimable, since_ns: int) -> list[Pending]:
    """The function calls of a Run in `requires_action`."""
    return [
        Pending(key, run.thread_id, call.id, call.name, call.arguments or "{}", of, since_ns)
        for call in run.required
        if call.id and call.name
    ]


def take(name: str, given: Mapping[str, Any], runs: Mapping[tuple[str, str], Claimable]) -> Pending | None:
    """The waiting call that a function of this name, called with `given`, answers: same arguments first, else call order."""
    named = [p for p in _seen.get() if p.name == name and runs.get(p.key) is p.of]
    if not named:
        return None
    if len(named) > 1:
        named.sort(key=lambda p: not _are_equal(p.arguments, given))  # stable: call order within each half
    return next((p for p in named if p.of.claim(p.call_id)), None)


def _are_equal(arguments: str, given: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(arguments) == given)
    except Exception:  # no JSON, or values of the app that do not let themselves be compared
        return False
