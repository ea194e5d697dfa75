"""The store as its readers see it: `Store` opens a file, takes batches, and answers questions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store import finding, numbers, rows, stats
from runspan.viewer.store.filters import RunFilter, where_traces
from runspan.viewer.store.insert import forget_all, forget_trace
from runspan.viewer.store.numbers import Group
from runspan.viewer.store.prune import Bounds
from runspan.viewer.store.records import (
    COLUMNS,
    GROUP_SORTS,
    OF_FIRST_RUN,
    TRACE_COLUMNS,
    TRACE_SORTS,
    GroupRow,
    Run,
    TraceRow,
    id_of,
    run_of,
)  # fmt: skip
from runspan.viewer.store.rows import Batch
from runspan.viewer.store.schema import connect, open_to_read
from runspan.viewer.store.search import query
from runspan.viewer.store.stats import Stat
from runspan.viewer.store.writer import Writer

MAX_FOUND = 2_000  # spans that a search looks at, newest first
MAX_COUNTED = 10_000  # runs that match a filter
MAX_READERS = 8  # connections that stay open
MAX_RUN_SPANS = 5_000  # that one panel reads
MAX_IDS = 500  # in one query
DELETED_AT_ONCE = 20


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

    def add(self, batch: Batch) -> Future[None]:
        """Done when it is on disk. Raises `StoreFullError`."""
        if self._writer is None:
            raise ValueError("the store was opened for reading only")
        return self._writer.add(batch)

    def delete(self, traces: Iterable[str]) -> int:
        """Delete these traces, a few at a time, so that senders need not wait. The number of traces that were there."""
        wanted, gone = [id_of(trace) for trace in traces], 0
        for at in range(0, len(wanted), DELETED_AT_ONCE):
            some = wanted[at : at + DELETED_AT_ONCE]
            gone += self._write(lambda db, some=some: sum(forget_trace(db, trace) > 0 for trace in some))  # type: ignore[misc]
        return gone

    def clear(self) -> int:
        """Delete everything that is not kept. The number of traces."""
        if self._all("SELECT 1 FROM traces WHERE is_kept = 1 LIMIT 1", ()):
            return self.delete(self.traces_with(RunFilter()))
        return int(self._write(forget_all))

    def keep(self, trace: str, is_kept: bool) -> bool:
        """Whether the trace is there; a kept one is not removed by age or size, nor with many others."""
        sql = "UPDATE traces SET is_kept = ? WHERE trace = ?"
        return bool(self._write(lambda db: db.execute(sql, (is_kept, id_of(trace))).rowcount))

    def is_kept(self, trace: str) -> bool:
        """Whether it is."""
        return bool(self._all("SELECT 1 FROM traces WHERE trace = ? AND is_kept = 1", (id_of(trace),)))

    def traces_with(self, of: RunFilter, *, with_kept: bool = False) -> list[str]:
        """Ids of the traces that hold such a run, the newest first; of all traces where nothing is asked for."""
        where, values = self._where(of)
        kept = "" if with_kept else " AND is_kept = 0"
        inner = f" AND trace IN (SELECT trace FROM runs{where})" if where else ""  # noqa: S608 - our own terms
        sql = f"SELECT lower(hex(trace)) FROM traces WHERE 1{kept}{inner} ORDER BY start_ns DESC"  # noqa: S608
        return [trace for (trace,) in self._all(sql, values)]

    def _write(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        if self._writer is None:
            raise ValueError("the store was opened for reading only")
        return self._writer.do(work).result()

    # ---------------------------------------------------------------- runs

    def page(self, of: RunFilter, limit: int = 50, offset: int = 0) -> tuple[list[Run], int]:
        """One page of runs, and how many there are (of a part of them, up to `MAX_COUNTED`)."""
        where, values = self._where(of)
        order = of.order()
        # The inner one walks an index alone, so that the wide rows before a late page are not read.
        page = f"SELECT id FROM runs{where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
        sql = f"SELECT {COLUMNS} FROM runs WHERE id IN ({page}) ORDER BY {order}"  # noqa: S608
        runs = [run_of(row) for row in self._all(sql, (*values, limit, offset))] if limit else []
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
        found = self._all(sql, (id_of(trace), id_of(span)))
        return run_of(found[0]) if found else None

    def beside(self, run: Run) -> tuple[Run | None, Run | None]:
        """(the run that began before this one, the one after it)."""
        found: list[Run | None] = []
        for sign, direction in (("<", "DESC"), (">", "ASC")):
            sql = f"""SELECT {COLUMNS} FROM runs WHERE (start_ns, trace, span) {sign} (?, ?, ?)
                ORDER BY start_ns {direction}, trace {direction}, span {direction} LIMIT 1"""  # noqa: S608
            row = self._all(sql, (run.start_ns, id_of(run.trace), id_of(run.span)))
            found.append(run_of(row[0]) if row else None)
        return found[0], found[1]

    def runs_of_trace(self, trace: str) -> list[Run]:
        """All runs of a trace, by start."""
        sql = f"SELECT {COLUMNS} FROM runs WHERE trace = ? ORDER BY start_ns LIMIT 1000"  # noqa: S608
        return [run_of(row) for row in self._all(sql, (id_of(trace),))]

    def stats(self, of: RunFilter | None = None) -> list[Stat]:
        """Runs, failures, latency percentiles, tokens and cost by assistant and model, the most used first."""
        return [stats.stat(group) for group in self.groups_of_numbers(of or RunFilter(), stats.BY)]

    def groups_of_numbers(self, of: RunFilter, by: Sequence[str], limit: int = -1) -> list[Group]:
        """The numbers of runs by these keys of `numbers.BY`, of the `limit` newest runs."""
        return numbers.grouped(self.number_rows(of, by, limit), by)

    def number_rows(self, of: RunFilter, by: Sequence[str], limit: int = -1) -> list[Sequence[Any]]:
        """What `numbers.grouped` and `grouped_over` take, of the `limit` newest runs."""
        where, values = self._where(of)
        sql = f"SELECT {numbers.columns(by)} FROM runs{where} ORDER BY start_ns DESC LIMIT ?"  # noqa: S608
        return self._all(sql, (*values, limit))

    def choices(self) -> dict[str, list[str]]:
        """The values that runs can be filtered by, the 200 first in order of each."""
        return {name: self._distinct(name) for name in ("status", "name", "model", "service", "user")}

    def groups(
        self,
        column: str,
        of: RunFilter,
        sort: str = "last",
        is_ascending: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> list[GroupRow]:
        """The threads or sessions (`column`) with such runs, each with the sums over them; the ones heard of last first."""
        where, values = self._where(of)
        where = f"{where} AND {column} <> ''" if where else f" WHERE {column} <> ''"
        if sort == "last" and not is_ascending and not of.is_narrow():
            names = self._newest_names(column, offset + limit)[offset:]
            # The second term lets the planner take the index, which leaves the empty ones out.
            marks = ", ".join("?" * len(names))
            where, values, offset = f" WHERE {column} IN ({marks}) AND {column} <> ''", tuple(names), 0
        direction = "ASC" if is_ascending else "DESC"
        sql = f"""SELECT {column}, count(*) AS runs, sum(is_bad) AS bad, count(DISTINCT nullif(thread, '')) AS threads,
            sum(CASE WHEN outer IS NULL THEN tokens END) AS tokens, sum(CASE WHEN outer IS NULL THEN cost END) AS cost,
            sum(CASE WHEN outer IS NULL THEN duration_ns ELSE 0 END) AS busy_ns, min(start_ns) AS first_ns,
            max(start_ns + duration_ns) AS last_ns FROM runs{where} GROUP BY {column}
            ORDER BY {GROUP_SORTS[sort]} {direction} NULLS LAST, {column} LIMIT ? OFFSET ?"""  # noqa: S608
        found = self._all(sql, (*values, limit, offset))
        first = f"SELECT {COLUMNS} FROM runs WHERE {column} = ? AND {column} <> '' ORDER BY start_ns LIMIT 1"  # noqa: S608
        return [GroupRow._make((*row, run_of(self._all(first, (row[0],))[0]))) for row in found]

    def _newest_names(self, column: str, limit: int) -> list[str]:
        names: dict[str, None] = {}
        # By start, not by the index of the column: the plus says so.
        sql = f"SELECT {column} FROM runs WHERE +{column} <> '' ORDER BY start_ns DESC"  # noqa: S608
        with self._reader() as db:
            for (name,) in db.execute(sql):
                names[name] = None
                if len(names) >= limit:
                    break
        return list(names)

    # ---------------------------------------------------------------- traces

    def traces(
        self,
        words: str = "",
        limit: int = 50,
        offset: int = 0,
        *,
        of: RunFilter | None = None,
        sort: str = "start",
        is_ascending: bool = False,
    ) -> list[TraceRow]:
        """Traces, newest first; `words` are looked for in all of a trace's spans.

        `of`: traces with such a run; its `is_bad`, `service`, times and `attribute` are asked of the traces themselves.
        """
        terms, values = where_traces(words, of or RunFilter(), lambda text: self._found(text, "spans.trace"))
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        direction = "ASC" if is_ascending else "DESC"
        sql = f"""SELECT {TRACE_COLUMNS} FROM traces{where}
            ORDER BY {TRACE_SORTS[sort]} {direction} NULLS LAST, trace LIMIT ? OFFSET ?"""  # noqa: S608
        first = f"""SELECT {", ".join(["question", "answer", "name", *OF_FIRST_RUN[3:]])} FROM runs WHERE trace = ?
            ORDER BY start_ns LIMIT 1"""  # noqa: S608
        found = []
        for row in self._all(sql, (*values, limit, offset)):
            trace = row[0].lower()
            of_run = self._all(first, (id_of(trace),))
            found.append(TraceRow(trace, *row[1:], *(of_run[0] if of_run else ())))
        return found

    def find(self, name: str) -> tuple[str, str, str] | None:
        """What an id names: ("trace", its id, ""), ("span", trace, span), ("thread" or "session", its id, "")."""
        return finding.named(self._all, name) or finding.named_within(self._all, name)

    def count_traces(self) -> int:
        """How many there are."""
        return int(self._all("SELECT count(*) FROM traces", ())[0][0])

    def spans(self, trace: str, limit: int = -1) -> list[Span]:
        """The spans of a trace, by start and then by arrival. Empty when it is not there."""
        return list(rows.spans(iter(self._packed("WHERE trace = ?", (id_of(trace),), limit))))

    def outline(self, trace: str) -> tuple[list[Span], dict[str, str]]:
        """(all spans of a trace by start, without attributes and events; the kind of each by its id)."""
        spans, kinds = [], {}
        services: dict[str, dict[str, Any]] = {}
        sql = """SELECT lower(hex(span)), lower(hex(parent)), start_ns, end_ns, kind, name, is_error, service
            FROM spans WHERE trace = ? ORDER BY start_ns, id"""
        for span, parent, start_ns, end_ns, kind, name, is_error, service in self._all(sql, (id_of(trace),)):
            kinds[span] = kind
            spans.append(
                Span(
                    trace, span, name, parent or None, start_ns=start_ns, end_ns=end_ns,
                    status_code="ERROR" if is_error else "UNSET",
                    resource=services.setdefault(service, {"service.name": service}),
                )
            )  # fmt: skip
        return spans, kinds

    def some_spans(self, trace: str, wanted: Sequence[str]) -> list[Span]:
        """These spans of a trace, whole, by start."""
        found: list[Span] = []
        for at in range(0, len(wanted), MAX_IDS):
            some = [id_of(span) for span in wanted[at : at + MAX_IDS]]
            condition = f"WHERE trace = ? AND span IN ({', '.join('?' * len(some))})"
            found += rows.spans(iter(self._packed(condition, (id_of(trace), *some), len(some))))
        return found

    def span(self, trace: str, span: str) -> Span | None:
        """One span, whole."""
        return next(iter(self.some_spans(trace, [span])), None)

    def run_spans(self, trace: str, span: str) -> list[Span]:
        """A run's spans: itself and what is below it, by start."""
        condition = "WHERE run = (SELECT id FROM runs WHERE trace = ? AND span = ?) AND trace = ?"
        return list(
            rows.spans(
                iter(self._packed(condition, (id_of(trace), id_of(span), id_of(trace)), MAX_RUN_SPANS))
            )
        )

    def logs(self, trace: str) -> list[LogRecord]:
        """The log records that stand in a trace."""
        sql = "SELECT body FROM logs WHERE trace = ? ORDER BY time_ns LIMIT 2000"
        return list(rows.log_records(body for (body,) in self._all(sql, (id_of(trace),))))

    def packed(self, trace: str) -> Iterator[tuple[bytes, bytes]]:
        """A trace's spans as they were sent: (resource and scope, span), both OTLP messages."""
        for source, body in self._packed("WHERE trace = ?", (id_of(trace),), -1):
            yield source, rows.unpack(body)

    # ---------------------------------------------------------------- the file

    def version(self) -> int:
        """A number that changes when anyone has written."""
        with self._lock:
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def trace_version(self, trace: str) -> str:
        """A text that changes when anything of the trace has been written."""
        sql = "SELECT spans, errors, start_ns, end_ns, tokens FROM traces WHERE trace = ?"
        logs = "SELECT count(*) FROM logs WHERE trace = ?"
        return repr((self._all(sql, (id_of(trace),)), self._all(logs, (id_of(trace),))))

    def count_spans(self) -> int:
        """How many spans there are."""
        return int(self._all("SELECT coalesce(sum(spans), 0) FROM traces", ())[0][0])

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a query of the caller's own; the tables are those of `schema.py`."""
        return self._all(sql, values)

    def _where(self, of: RunFilter) -> tuple[str, tuple[Any, ...]]:
        terms, values = of.where(lambda words: self._found(words, "spans.run"))
        return (f" WHERE {terms}" if terms else ""), values

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
            SELECT min({column}) FROM runs WHERE {column} <> '' UNION ALL
            SELECT (SELECT min({column}) FROM runs WHERE {column} > value AND {column} <> '') FROM seen WHERE value IS NOT NULL
        ) SELECT value FROM seen WHERE value <> '' LIMIT 200"""  # noqa: S608
        return [value for (value,) in self._all(sql, ())]

    def _packed(self, condition: str, values: Sequence[Any], limit: int) -> list[tuple[bytes, bytes]]:
        sql = f"""SELECT sources.body, spans.body FROM spans JOIN sources ON sources.id = source {condition}
            ORDER BY start_ns, spans.id LIMIT ?"""  # noqa: S608
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
