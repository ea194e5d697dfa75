"""The store as its readers see it: `Store` opens a file, takes batches, and answers questions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store import rows, stats
from runspan.viewer.store.prune import Bounds, used_bytes
from runspan.viewer.store.rows import Batch
from runspan.viewer.store.schema import connect, open_to_read
from runspan.viewer.store.search import query
from runspan.viewer.store.stats import Stat
from runspan.viewer.store.writer import Writer

MAX_FOUND = 2_000  # spans that a search looks at, newest first
MAX_COUNTED = 10_000  # runs that match a filter
MAX_READERS = 8  # connections that stay open
MAX_TRACE_SPANS = 20_000  # that one page reads

SORTS: Mapping[str, str] = {
    "start": "start_ns",
    "duration": "duration_ns",
    "queue": "queue_s",
    "tokens": "tokens",
    "cost": "cost",
}
NULLABLE = frozenset({"queue_s", "tokens", "cost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs, and in what order. Empty texts ask for nothing."""

    words: str = ""
    status: str = ""
    name: str = ""
    model: str = ""
    thread: str = ""
    session: str = ""
    user: str = ""
    since_ns: int = 0
    sort: str = "start"  # a key of SORTS
    is_ascending: bool = False

    def is_narrow(self) -> bool:
        """Whether it leaves any run out."""
        return replace(self, sort="start", is_ascending=False) != RunFilter()


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


class TraceRow(NamedTuple):
    """A row of the traces table."""

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


COLUMNS = ", ".join(["hex(trace)", "hex(span)", *Run._fields[2:]]).lower()
TRACE_COLUMNS = ", ".join(["hex(trace)", *TraceRow._fields[1:]])
FIELDS = ("status", "name", "model", "thread", "session", "user")  # filters of equality


class Store:
    """One file. Any thread may ask; `close` ends the writing thread and all connections."""

    def __init__(self, path: Path | str, bounds: Bounds | None = None, *, is_read_only: bool = False) -> None:
        self.path = Path(path)
        self._writer = None if is_read_only else Writer(self.path, bounds or Bounds())
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._connect = open_to_read if is_read_only else connect
        self._watch = self._connect(self.path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Everything that was taken is on disk afterwards."""
        if self._writer is not None:
            self._writer.close()
        with self._lock:
            for connection in (*self._idle, self._watch):
                connection.close()
            self._idle.clear()

    # ---------------------------------------------------------------- in

    def add(self, batch: Batch) -> Future[None]:
        """Done when it is on disk. Raises `StoreFullError`."""
        if self._writer is None:
            raise ValueError("the store was opened for reading only")
        return self._writer.add(batch)

    # ---------------------------------------------------------------- runs

    def page(self, of: RunFilter, limit: int = 50, offset: int = 0) -> tuple[list[Run], int]:
        """One page of runs, and how many there are (of a part of them, up to `MAX_COUNTED`)."""
        where, values = self._where(of)
        column, direction = SORTS[of.sort], "ASC" if of.is_ascending else "DESC"
        # What is not known sorts last, either way; in descending order it does so by itself.
        nulls = " NULLS LAST" if of.is_ascending and column in NULLABLE else ""
        order = f"{column} {direction}{nulls}, id {direction}"
        # The inner one walks an index alone, so that the wide rows before a late page are not read.
        page = f"SELECT id FROM runs{where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
        sql = f"SELECT {COLUMNS} FROM runs WHERE id IN ({page}) ORDER BY {order}"  # noqa: S608
        runs = [_run(row) for row in self._all(sql, (*values, limit, offset))] if limit else []
        at_most = MAX_COUNTED if where else -1
        sql = f"SELECT count(*) FROM (SELECT 1 FROM runs{where} LIMIT {at_most})"  # noqa: S608
        return runs, max(int(self._all(sql, values)[0][0]), offset + len(runs) if runs else 0)

    def runs(self, of: RunFilter, limit: int = 50, offset: int = 0) -> list[Run]:
        """One page of runs."""
        return self.page(of, limit, offset)[0]

    def count_runs(self, of: RunFilter) -> int:
        """How many there are; of a part of them, up to `MAX_COUNTED`."""
        return self.page(of, 0)[1]

    def run(self, trace: str, span: str) -> Run | None:
        """One run by its span."""
        sql = f"SELECT {COLUMNS} FROM runs WHERE trace = ? AND span = ?"  # noqa: S608
        found = self._all(sql, (_id(trace), _id(span)))
        return _run(found[0]) if found else None

    def runs_of_trace(self, trace: str) -> list[Run]:
        """All runs of a trace, by start."""
        sql = f"SELECT {COLUMNS} FROM runs WHERE trace = ? ORDER BY start_ns LIMIT 1000"  # noqa: S608
        return [_run(row) for row in self._all(sql, (_id(trace),))]

    def stats(self, of: RunFilter | None = None) -> list[Stat]:
        """Runs, failures, latency percentiles, tokens and cost by assistant and model, the most used first."""
        where, values = self._where(of or RunFilter())
        sql = f"SELECT {stats.COLUMNS} FROM runs{where} ORDER BY name, model, duration_ns"  # noqa: S608
        return stats.stats(self._all(sql, values))

    def choices(self) -> dict[str, list[str]]:
        """The values that runs can be filtered by, of status, assistant and model: the 200 first in order."""
        return {name: self._distinct(name) for name in ("status", "name", "model")}

    def newest_groups(self, column: str, limit: int = 50, offset: int = 0) -> list[list[Run]]:
        """The threads or sessions (`column`) heard of last, each with its runs by start, at most 500."""
        names: dict[str, None] = {}
        # By start, not by the index of the column: the plus says so.
        sql = f"SELECT {column} FROM runs WHERE +{column} <> '' ORDER BY start_ns DESC"  # noqa: S608
        with self._reader() as db:
            for (name,) in db.execute(sql):
                names[name] = None
                if len(names) >= offset + limit:
                    break
        by_start = {"sort": "start", "is_ascending": True}
        return [self.runs(RunFilter(**{column: name}, **by_start), 500) for name in list(names)[offset:]]  # type: ignore[arg-type]

    # ---------------------------------------------------------------- traces

    def traces(self, words: str = "", limit: int = 50, offset: int = 0) -> list[TraceRow]:
        """Traces, newest first; `words` are looked for in all of a trace's spans."""
        where, values = "", ()
        if words.strip():
            found = self._found(words, "spans.trace")
            where, values = f" WHERE trace IN ({', '.join('?' * len(found))})", tuple(found)
        sql = f"SELECT {TRACE_COLUMNS} FROM traces{where} ORDER BY start_ns DESC LIMIT ? OFFSET ?"  # noqa: S608
        return [TraceRow(row[0].lower(), *row[1:]) for row in self._all(sql, (*values, limit, offset))]

    def count_traces(self) -> int:
        """How many there are."""
        return int(self._all("SELECT count(*) FROM traces", ())[0][0])

    def spans(self, trace: str, limit: int = MAX_TRACE_SPANS) -> list[Span]:
        """The spans of a trace, by start. Empty when it is not there."""
        return list(rows.spans(iter(self._packed("WHERE trace = ?", (_id(trace),), limit))))

    def span(self, trace: str, span: str) -> Span | None:
        """One span, whole."""
        return next(
            rows.spans(iter(self._packed("WHERE trace = ? AND span = ?", (_id(trace), _id(span)), 1))), None
        )

    def run_spans(self, trace: str, span: str) -> list[Span]:
        """A run's spans: itself and what is below it, by start."""
        condition = "WHERE run = (SELECT id FROM runs WHERE trace = ? AND span = ?) AND trace = ?"
        return list(
            rows.spans(iter(self._packed(condition, (_id(trace), _id(span), _id(trace)), MAX_TRACE_SPANS)))
        )

    def logs(self, trace: str) -> list[LogRecord]:
        """The log records that stand in a trace."""
        sql = "SELECT body FROM logs WHERE trace = ? ORDER BY time_ns LIMIT 2000"
        return list(rows.log_records(body for (body,) in self._all(sql, (_id(trace),))))

    def packed(self, trace: str) -> Iterator[tuple[bytes, bytes]]:
        """A trace's spans as they were sent: (resource and scope, span), both OTLP messages."""
        for source, body in self._packed("WHERE trace = ?", (_id(trace),), MAX_TRACE_SPANS):
            yield source, rows.unpack(body)

    # ---------------------------------------------------------------- the file

    def version(self) -> int:
        """A number that changes when anyone has written."""
        with self._lock:
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def size_bytes(self) -> int:
        """Bytes of the file in use."""
        with self._reader() as db:
            return used_bytes(db)

    def count_spans(self) -> int:
        """How many spans there are."""
        return int(self._all("SELECT coalesce(sum(spans), 0) FROM traces", ())[0][0])

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a query of the caller's own; the tables are those of `schema.py`."""
        return self._all(sql, values)

    # ---------------------------------------------------------------- pieces

    def _where(self, of: RunFilter) -> tuple[str, tuple[Any, ...]]:
        terms, values = [], []
        for name in FIELDS:
            if value := getattr(of, name):
                # The second term lets the planner take the index, which leaves out the empty ones.
                terms.append(f"{name} = ? AND {name} <> ''")
                values.append(value)
        if of.since_ns:
            terms.append("start_ns >= ?")
            values.append(of.since_ns)
        if of.words.strip():
            found = self._found(of.words, "spans.run")
            terms.append(f"id IN ({', '.join(map(str, found))})")
        return (f" WHERE {' AND '.join(terms)}" if terms else ""), tuple(values)

    def _found(self, words: str, column: str) -> list[Any]:
        """Distinct runs or traces in whose spans the words are, of the `MAX_FOUND` newest such spans."""
        wanted = query(words)
        if not wanted:
            return []
        sql = f"""SELECT DISTINCT {column} FROM (
            SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT {MAX_FOUND}
        ) AS found JOIN spans ON spans.id = found.rowid WHERE {column} IS NOT NULL"""  # noqa: S608
        return [value for (value,) in self._all(sql, (wanted,))]

    def _distinct(self, column: str) -> list[str]:
        # One step of the index per value, not per row.
        sql = f"""WITH RECURSIVE seen(value) AS (
            SELECT min({column}) FROM runs UNION ALL
            SELECT (SELECT min({column}) FROM runs WHERE {column} > value) FROM seen WHERE value IS NOT NULL
        ) SELECT value FROM seen WHERE value <> '' LIMIT 200"""  # noqa: S608
        return [value for (value,) in self._all(sql, ())]

    def _packed(self, condition: str, values: Sequence[Any], limit: int) -> list[tuple[bytes, bytes]]:
        sql = f"""SELECT sources.body, spans.body FROM spans JOIN sources ON sources.id = source {condition}
            ORDER BY start_ns LIMIT ?"""  # noqa: S608
        return self._all(sql, (*values, limit))

    def _all(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with self._reader() as db:
            return db.execute(sql, values).fetchall()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            db = self._idle.pop() if self._idle else None
        if db is None:
            db = self._connect(self.path)
            db.execute("PRAGMA query_only = ON")
        try:
            yield db
        finally:
            with self._lock:
                if len(self._idle) < MAX_READERS:
                    self._idle.append(db)
                    db = None
            if db is not None:
                db.close()


def _run(row: Sequence[Any]) -> Run:
    return Run(row[0].lower(), row[1].lower(), *row[2:])


def _id(text: str) -> bytes:
    """An id's bytes; what is none is found nowhere."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
