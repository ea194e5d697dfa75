"""Every recording in every mode, and two questions to each: what do its traces say, does the app notice?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .exchange import Exchange, load
from .facts import Facts
from .folder import recordings
from .modes import MODES, Mode
from .oracle import expected
from .player import play
from .record import Record, difference
from .traced import AT_ONCE, UNTIL_FLUSH, Traced, traced
from .traces import seen


@cache
def exchanges_of(path: Path) -> list[Exchange]:
    return load(path)


@dataclass(frozen=True)
class Case:
    recording: Path
    mode: Mode

    @property
    def name(self) -> str:
        return f"{self.recording.stem}-{self.mode.name}"

    @property
    def exchanges(self) -> list[Exchange]:
        return exchanges_of(self.recording)

    @property
    def expected(self) -> Facts:
        return expected(self.exchanges)

    def play(self) -> Record:
        return play(self.exchanges, self.mode)

    def traced(self, settle_s: float = UNTIL_FLUSH) -> Traced:
        return traced(self.play, settle_s)


def cases() -> list[Case]:
    return [Case(recording, mode) for recording in recordings() for mode in MODES]


def wrong_in_trace(case: Case) -> Iterator[str]:
    """What the spans of one play say otherwise than the recording does."""
    result, due = case.traced(), case.expected
    got = seen(result.spans)
    yield from got.odd
    if len(got.runs) != len(due.runs):
        ids = [(run.id, run.status) for run in got.runs]
        yield f"{len(got.runs)} run spans for {len(due.runs)} runs: {ids}"
    for run, wanted in zip(got.runs, due.runs, strict=False):
        for name in vars(wanted):
            if getattr(run, name) != getattr(wanted, name):
                yield f"run {wanted.id}: {name} is {getattr(run, name)!r}, not {getattr(wanted, name)!r}"
    for name in ("failed_creates", "failed_writes", "tokens"):
        if getattr(got, name) != getattr(due, name):
            yield f"{name}: {getattr(got, name)}, not {getattr(due, name)}"
    yield from _wrong_in_bookkeeping(result, due)


def _wrong_in_bookkeeping(result: Traced, due: Facts) -> Iterator[str]:
    out = [run.id for run in seen(result.after_flush).runs if run.end_was_seen]
    over = [run.id for run in due.runs if run.end_was_seen]
    if not result.flushed or out != over:
        yield f"flush() returned {result.flushed} with {out} out, and {over} were over"
    unfinished = sum(not run.end_was_seen for run in due.runs)
    if (result.live, result.unfinished, dict(result.dropped)) != (0, unfinished, {}):
        counts = f"live={result.live}, unfinished={result.unfinished}, dropped={dict(result.dropped)}"
        yield f"stats(): {counts}, not live=0, unfinished={unfinished}, dropped={{}}"
    yield from (f"logged: {line}" for line in result.complaints)


def noticed_by_app(case: Case) -> str:
    """How the app's own record changes when runspan is there, as a diff; spans go out while the app works."""
    alone = case.play()
    answered = [request["answered by"] for request in alone.requests]
    assert answered == list(range(len(case.exchanges))), f"the player itself went astray: {answered}"
    return difference(alone, case.traced(AT_ONCE).record)
