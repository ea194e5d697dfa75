"""Runs in a row as one conversation: what was asked, what was done, what was answered, each message once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runspan.viewer.conversation import Said
from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store import Run
from runspan.viewer.store.summary import total
from runspan.viewer.web import panel
from runspan.viewer.web.results import Tool, tools


@dataclass(frozen=True, slots=True)
class Turn:
    """One run between its messages. `is_new_thread`: the first one here, or of another thread than the one before."""

    run: Run
    asked: tuple[Said, ...]
    tools: Sequence[Tool]
    answered: tuple[Said, ...]
    is_new_thread: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over runs; None where no run says anything."""

    runs: int
    failed: int
    tokens: int | None
    cost: float | None
    busy_s: float
    first_ns: int
    last_ns: int
    threads: int


def turns(runs: Iterable[tuple[Run, Sequence[Span], Sequence[LogRecord]]]) -> Iterator[Turn]:
    """`runs` by start, each with its spans and the log records of its trace."""
    unanswered: dict[str, tuple[Said, ...]] = {}  # by thread: shown already, and sent again by the next run
    seen: str | None = None
    for run, spans, logs in runs:
        own = next((span for span in spans if span.span_id == run.span), None)
        asked, answered = panel.exchange(own, spans, logs) if own else ((), ())
        known = unanswered.get(run.thread, ())
        news = asked[len(known) :] if known and asked[: len(known)] == known else asked
        unanswered[run.thread] = () if answered else asked
        yield Turn(run, news, tools(spans), answered, run.thread != seen)
        seen = run.thread


def totals(runs: Sequence[Run]) -> Totals:
    """The sums of a thread or a session; `runs` are at least one."""
    return Totals(
        len(runs),
        sum(is_bad(run) for run in runs),
        total(run.tokens for run in runs),
        total(run.cost for run in runs),
        sum(run.duration_ns for run in runs) / 1e9,
        min(run.start_ns for run in runs),
        max(run.start_ns + run.duration_ns for run in runs),
        len({run.thread for run in runs if run.thread}),
    )


def is_bad(run: Run) -> bool:
    """Whether a run failed."""
    return run.status in ("failed", "expired", "error") or bool(run.error)
