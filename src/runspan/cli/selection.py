"""Which runs: the options that `tree` and `stats` share, as one SQL condition."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..viewer.units import seconds
from . import exits
from .output import Problem, did_you_mean, shown
from .source import Source
from .units import Seconds

# option -> (column of the store's table of runs, condition on it, help)
CONDITIONS: Mapping[str, tuple[str, str, str]] = {
    "assistant": ("name", "instr(lower(name), lower(?))", "Runs of assistants whose name contains this."),
    "model": ("model", "instr(lower(model), lower(?))", "Runs of models whose name contains this."),
    "status": (
        "status",
        "? IN (status, CASE WHEN unfinished <> '' THEN 'unfinished' END)",
        "Runs with this status: completed, failed, expired, incomplete, cancelled ..., or unfinished.",
    ),
    "thread": ("thread", "thread = ?", "Runs on this thread (its id)."),
    "session": ("session", "session = ?", "Runs of this session."),
    "user": ("user", "user = ?", "Runs of this user."),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """`where()` is the condition; empty for all runs."""

    equal: Mapping[str, str]
    errors: bool = False
    min_duration_s: float = 0.0
    since_s: float | None = None  # before now

    @property
    def is_narrow(self) -> bool:
        return bool(self.where()[0])

    def where(self, trace: str | None = None) -> tuple[str, tuple[Any, ...]]:
        """Terms joined by AND, and their values; of the runs in one trace, if it is named."""
        terms = [CONDITIONS[name][1] for name in self.equal]
        values: list[Any] = list(self.equal.values())
        if self.errors:
            terms.append("is_bad = 1")
        if self.min_duration_s:
            terms.append("duration_ns >= ?")
            values.append(int(self.min_duration_s * 1e9))
        if self.since_s is not None:
            terms.append("start_ns >= ?")
            values.append(max(0, time.time_ns() - int(self.since_s * 1e9)))
        if trace is not None:
            terms.append("trace = ?")
            values.append(bytes.fromhex(trace))
        return " AND ".join(terms), tuple(values)


STATUSES = (
    "completed",
    "failed",
    "expired",
    "incomplete",
    "cancelled",
    "in_progress",
    "queued",
    "requires_action",
    "unfinished",  # not a status of the API: runspan did not see the end
)
MAX_NAMED = 8


def nothing(source: Source, chosen: Selection, what: str) -> Problem:
    """Why no `what` ("run", "trace") is found: the option that no run answers to, and what is there instead."""
    if not chosen.is_narrow:
        return Problem(f"there is no {what} in {source.name}", exits.NOT_WELL)
    for name, value in chosen.equal.items():
        column, condition, _ = CONDITIONS[name]
        if source.store.select(f"SELECT 1 FROM runs WHERE {condition} LIMIT 1", (value,)):  # noqa: S608 - ours
            continue
        sql = f"SELECT {column} FROM runs WHERE {column} <> '' GROUP BY 1 ORDER BY count(*) DESC LIMIT 200"  # noqa: S608
        known = [shown(one) for (one,) in source.store.select(sql)]
        there = ", ".join(known[:MAX_NAMED]) + (" ..." if len(known) > MAX_NAMED else "")
        words = [*known, *(STATUSES if name == "status" else ())]
        guess = "" if value in words else did_you_mean(value, words)
        return Problem(f"no run has --{name} {value!r}.{guess} There is: {there or 'none'}", exits.NOT_WELL)
    (longest,) = source.store.select("SELECT coalesce(max(duration_ns), 0) FROM runs WHERE sort = 'run'")[0]
    if longest < chosen.min_duration_s * 1e9:
        took = f"no run took {seconds(chosen.min_duration_s)} or longer; the longest took {seconds(longest / 1e9)}"
        return Problem(took, exits.NOT_WELL)
    return Problem(f"no {what} in {source.name} matches all of the options", exits.NOT_WELL)


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds them to a command, which gets `selection` and `db`."""

    @functools.wraps(function)
    def command(errors: bool, min_duration: float | None, since: float | None, **rest: Any) -> Any:
        equal = {name: value for name in CONDITIONS if (value := rest.pop(name)) is not None}
        return function(selection=Selection(equal, errors, min_duration or 0.0, since), **rest)

    added = [
        click.option(f"--{name}", metavar="TEXT", help=text) for name, (_, _, text) in CONDITIONS.items()
    ]
    added += [
        click.option(
            "--errors",
            is_flag=True,
            help="Runs that ended badly: failed, expired, unfinished, or in another error.",
        ),
        click.option(
            "--min-duration",
            type=Seconds(),
            metavar="TIME",
            help="Runs that took at least this long: 500ms, 2s, 3m; without a unit, seconds.",
        ),
        click.option(
            "--since",
            type=Seconds(),
            metavar="TIME",
            help="Runs that began within the last 30m, 8h, 7d; without a unit, seconds.",
        ),
        click.option(
            "--db",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="File of the viewer's store. [default: in your data folder]",
        ),
    ]
    for one in reversed(added):
        command = one(command)
    return command
