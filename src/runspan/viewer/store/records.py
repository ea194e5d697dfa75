"""The rows that a store gives to its readers, and the columns that they are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Run(NamedTuple):
    """A row of the runs table. Ids are hex, `tokens` is input and output together."""

    trace: str
    span: str
    sort: str  # run, or llm: a model call outside of any run
    start_ns: int
    duration_ns: int
    status: str
    unfinished: str
    name: str
    model: str
    service: str
    thread: str
    session: str
    user: str
    run_id: str
    queue_s: float | None
    active_s: float | None
    tool_wait_s: float | None
    lag_s: float | None
    first_token_s: float | None
    polls: int | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    tokens: int | None
    cost: float | None
    tools: int
    error: str
    question: str
    answer: str
    uncertainty_s: float | None
    is_bad: int
    outer: int | None  # the row of the run that holds this one


class TraceRow(NamedTuple):
    """A row of the traces table. `question` and the fields after it are those of its first run; empty without one."""

    trace: str
    start_ns: int
    end_ns: int
    spans: int
    errors: int
    runs: int
    name: str
    service: str
    tokens: int | None
    cost: float | None
    is_kept: int
    question: str = ""
    answer: str = ""
    assistant: str = ""
    status: str = ""
    unfinished: str = ""
    error: str = ""


class GroupRow(NamedTuple):
    """A thread, a session or a user: sums over its runs. `first` is its first run."""

    name: str
    runs: int
    bad: int
    threads: int
    tokens: int | None
    cost: float | None
    busy_ns: int
    first_ns: int
    last_ns: int
    first: Run


COLUMNS = ", ".join(["hex(trace)", "hex(span)", *Run._fields[2:]]).lower()
TRACE_COLUMNS = ", ".join(["hex(trace)", *TraceRow._fields[1:11]])
OF_FIRST_RUN = TraceRow._fields[11:]
TRACE_SORTS: Mapping[str, str] = {
    "start": "start_ns",
    "duration": "end_ns - start_ns",
    "spans": "spans",
    "errors": "errors",
    "runs": "runs",
    "tokens": "tokens",
    "cost": "cost",
}
GROUP_SORTS: Mapping[str, str] = {
    "last": "last_ns",
    "runs": "runs",
    "bad": "bad",
    "busy": "busy_ns",
    "tokens": "tokens",
    "cost": "cost",
}


def run_of(row: Sequence[Any]) -> Run:
    """From a row of `COLUMNS`."""
    return Run(row[0].lower(), row[1].lower(), *row[2:])


def id_of(text: str) -> bytes:
    """An id's bytes; what is none is found nowhere."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
