"""One batch into the tables, inside a transaction of the caller's. SQL and nothing else."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from runspan.viewer.kinds import word
from runspan.viewer.store.facts import Facts
from runspan.viewer.store.rows import Batch, Row, read, spans
from runspan.viewer.store.summary import Light, RunRow, Summary, summarise, total_tokens

FACTS = Facts.__struct_fields__  # each is a column of `runs`
RUN_COLUMNS = ("trace", "span", "start_ns", "duration_ns", "service", "tokens", "tools", *FACTS)
UPSERT_RUN = (  # the names are ours
    f"INSERT INTO runs ({', '.join(RUN_COLUMNS)}) VALUES ({', '.join('?' * len(RUN_COLUMNS))})"  # noqa: S608
    f" ON CONFLICT (trace, span) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in RUN_COLUMNS[2:])} RETURNING id"
)
UPSERT_TRACE = """
INSERT INTO traces (trace, start_ns, end_ns, spans, errors, runs, name, service, tokens, cost, first_s, seen_s)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace) DO UPDATE SET start_ns = excluded.start_ns,
end_ns = excluded.end_ns, spans = excluded.spans, errors = excluded.errors, runs = excluded.runs, name = excluded.name,
service = excluded.service, tokens = excluded.tokens, cost = excluded.cost, seen_s = excluded.seen_s"""
PUT_SOURCE = """
INSERT INTO sources (digest, seen_s, body) VALUES (?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET seen_s = excluded.seen_s RETURNING id"""
INSERT_SPAN = """
INSERT INTO spans (id, trace, span, parent, start_ns, end_ns, kind, name, is_error, service, run, facts, source, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
OF_TRACE = "SELECT span, parent, start_ns, end_ns, kind, name, is_error, service, facts, run FROM spans WHERE trace = ?"

_READ_FACTS = msgspec.json.Decoder(Facts)


def insert(db: sqlite3.Connection, batch: Batch) -> None:
    """Take the batch in; a span that is there already is replaced."""
    sources: dict[bytes, int] = {}
    now_s = int(time.time())
    for digest, body in batch.sources.items():
        (sources[digest],) = db.execute(PUT_SOURCE, (digest, now_s, body)).fetchone()
    by_trace: dict[bytes, dict[bytes, Row]] = {}
    for row in batch.rows:
        by_trace.setdefault(row.trace, {})[row.span] = row
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM spans").fetchone()
    ids_of_spans = itertools.count(last + 1)
    for trace, rows in by_trace.items():
        _insert_trace(db, trace, rows, sources, now_s, ids_of_spans)
    db.executemany(
        "INSERT INTO logs (trace, span, time_ns, source, seen_s, body) VALUES (?, ?, ?, ?, ?, ?)",
        [(log.trace, log.span, log.time_ns, sources[log.source], now_s, log.body) for log in batch.logs],
    )


def _insert_trace(
    db: sqlite3.Connection,
    trace: bytes,
    rows: Mapping[bytes, Row],
    sources: Mapping[bytes, int],
    now_s: int,
    ids_of_spans: Iterator[int],
) -> None:
    lights, runs_of = _known(db, trace)
    forget(db, trace, [span for span in rows if span in lights])
    lights |= {span: _light(row) for span, row in rows.items()}
    summary = summarise(lights)
    ids = {span: _put_run(db, trace, run) for span, run in summary.runs.items()}
    for stale in {run for run in runs_of.values() if run is not None} - set(ids.values()):
        db.execute("DELETE FROM runs WHERE id = ?", (stale,))
    owner_ids = {span: ids[owner] for span, owner in summary.owners.items()}
    numbered = [(next(ids_of_spans), row) for row in rows.values()]
    db.executemany(
        INSERT_SPAN,
        [(number, trace, row.span, row.parent, row.start_ns, row.end_ns, row.kind, row.name, row.is_error, row.service,
          owner_ids.get(row.span), None if row.facts is None else msgspec.json.encode(row.facts).decode(),
          sources[row.source], row.body) for number, row in numbered],
    )  # fmt: skip
    db.executemany(
        "INSERT INTO words (rowid, text) VALUES (?, ?)",
        [(number, row.words) for number, row in numbered if row.words],
    )
    moved = [
        (owner_ids.get(s), trace, s)
        for s, run in runs_of.items()
        if run != owner_ids.get(s) and s not in rows
    ]
    db.executemany("UPDATE spans SET run = ? WHERE trace = ? AND span = ?", moved)
    _put_trace(db, trace, summary, now_s)


def _known(db: sqlite3.Connection, trace: bytes) -> tuple[dict[bytes, Light], dict[bytes, int | None]]:
    """What is there of the trace already: its spans, and the run of each."""
    if db.execute("SELECT 1 FROM traces WHERE trace = ?", (trace,)).fetchone() is None:
        return {}, {}
    lights, runs_of = {}, {}
    for span, parent, start_ns, end_ns, kind, name, is_error, service, facts, run in db.execute(
        OF_TRACE, (trace,)
    ):
        read = _READ_FACTS.decode(facts) if facts else None
        lights[span] = Light(span, parent, start_ns, end_ns, kind, name, bool(is_error), service, read)
        runs_of[span] = run
    return lights, runs_of


def _light(row: Row) -> Light:
    return Light(
        row.span,
        row.parent,
        row.start_ns,
        row.end_ns,
        row.kind,
        row.name,
        row.is_error,
        row.service,
        row.facts,
    )


def _put_run(db: sqlite3.Connection, trace: bytes, run: RunRow) -> int:
    light, facts = run.light, run.facts
    values = (trace, light.span, light.start_ns, light.end_ns - light.start_ns, light.service,
              total_tokens(facts), run.tools, *(getattr(facts, name) for name in FACTS))  # fmt: skip
    (run_id,) = db.execute(UPSERT_RUN, values).fetchone()
    return int(run_id)


def _put_trace(db: sqlite3.Connection, trace: bytes, of: Summary, now_s: int) -> None:
    db.execute(
        UPSERT_TRACE,
        (trace, of.start_ns, of.end_ns, of.spans, of.errors, len(of.runs), of.name, of.service, of.tokens, of.cost,
         now_s, now_s),
    )  # fmt: skip


def forget(db: sqlite3.Connection, trace: bytes, wanted: Iterable[bytes]) -> None:
    """Take these spans and their words out."""
    for span in wanted:
        span_id, source, body = db.execute(
            "SELECT spans.id, sources.body, spans.body FROM spans JOIN sources ON sources.id = source"
            " WHERE trace = ? AND span = ?",
            (trace, span),
        ).fetchone()
        known = next(spans(iter([(source, body)])))
        _, text = read(known, word(known)[0])
        if text:
            db.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (span_id, text))
        db.execute("DELETE FROM spans WHERE id = ?", (span_id,))


def forget_trace(db: sqlite3.Connection, trace: bytes) -> int:
    """Take a whole trace out. The number of its spans."""
    wanted = [span for (span,) in db.execute("SELECT span FROM spans WHERE trace = ?", (trace,)).fetchall()]
    forget(db, trace, wanted)
    for table in ("runs", "logs", "traces"):
        db.execute(f"DELETE FROM {table} WHERE trace = ?", (trace,))  # noqa: S608 - the names stand above
    return len(wanted)
