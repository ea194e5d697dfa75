"""One batch into the tables, inside a transaction of the caller's. SQL and nothing else."""

from __future__ import annotations

import itertools
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from runspan.viewer.dialects import normal
from runspan.viewer.endings import is_bad
from runspan.viewer.store.arrange import Arrangement, Node, RunState
from runspan.viewer.store.facts import Facts
from runspan.viewer.store.rows import Batch, Row, read, spans
from runspan.viewer.store.summary import SUMMED, Amounts, Calls, add, known, nothing, total

logger = logging.getLogger("runspan.viewer")

FACTS = Facts.__struct_fields__  # each is a column of `runs`
RUN_COLUMNS = (
    "id", "trace", "span", "start_ns", "duration_ns", "service", "tokens", "tools", "is_bad", "outer", "calls", *FACTS,
)  # fmt: skip
PUT_RUN = (  # the names are ours
    f"INSERT INTO runs ({', '.join(RUN_COLUMNS)}) VALUES ({', '.join('?' * len(RUN_COLUMNS))})"  # noqa: S608
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in RUN_COLUMNS[3:])}"
)
PUT_TRACE = """
INSERT INTO traces (trace, start_ns, end_ns, spans, errors, runs, name, service, tokens, cost, first_s, seen_s, root, sums,
is_kept) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (trace) DO UPDATE SET
start_ns = excluded.start_ns, end_ns = excluded.end_ns, spans = excluded.spans, errors = excluded.errors,
runs = excluded.runs, name = excluded.name, service = excluded.service, tokens = excluded.tokens, cost = excluded.cost,
seen_s = excluded.seen_s, root = excluded.root, sums = excluded.sums"""
PUT_SOURCE = """
INSERT INTO sources (digest, seen_s, body) VALUES (?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET seen_s = excluded.seen_s RETURNING id"""
INSERT_SPAN = """
INSERT INTO spans
(id, trace, span, parent, start_ns, end_ns, kind, name, is_error, service, run, in_call, facts, source, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
NODES = "SELECT span, parent, start_ns, kind, facts, run, in_call FROM spans WHERE trace = ?"
RUN = f"""SELECT runs.span, runs.start_ns, runs.duration_ns, runs.service, outer, calls, facts,
    {", ".join(f"runs.{name}" for name in SUMMED)}
    FROM runs JOIN spans ON spans.trace = runs.trace AND spans.span = runs.span WHERE runs.id = ?"""  # noqa: S608
TRACE = "SELECT start_ns, end_ns, spans, errors, runs, name, service, root, sums, first_s FROM traces WHERE trace = ?"
SAY_EVERY_S = 2.0
AT_ONCE = 500  # ids in one query
LATEST_NS = 2**63 - 1
NO_SUMS = msgspec.json.encode(nothing()).decode()

_FACTS = msgspec.json.Decoder(Facts)
_CALLS = msgspec.json.Decoder(Calls)
_SUMS = msgspec.json.Decoder(Amounts)


def insert(db: sqlite3.Connection, batch: Batch) -> None:
    """Take the batch in; a span that is there already is replaced."""
    sources: dict[bytes, int] = {}
    now_s = int(time.time())
    for digest, body in batch.sources.items():
        (sources[digest],) = db.execute(PUT_SOURCE, (digest, now_s, body)).fetchone()
    by_trace: dict[bytes, dict[bytes, Row]] = {}
    for row in batch.rows:
        by_trace.setdefault(row.trace, {})[row.span] = row
    span_ids, run_ids = _ids(db, "spans"), _ids(db, "runs")
    for trace, rows in by_trace.items():
        _Insertion(db, trace, run_ids, now_s).take(rows, sources, span_ids)
    db.executemany(
        "INSERT INTO logs (trace, span, time_ns, source, seen_s, body) VALUES (?, ?, ?, ?, ?, ?)",
        [(log.trace, log.span, log.time_ns, sources[log.source], now_s, log.body) for log in batch.logs],
    )


def rearrange(db: sqlite3.Connection, trace: bytes) -> None:
    """Find the runs of a trace anew, from its spans alone."""
    _Insertion(db, trace, _ids(db, "runs"), int(time.time())).rearrange()


def reindex(db: sqlite3.Connection) -> None:
    """The words of every span anew; about ten thousand spans a second, which is said where it takes long."""
    (count,) = db.execute("SELECT count(*) FROM spans").fetchone()
    said_s = time.monotonic()
    kept = db.execute(
        "SELECT spans.id, sources.body, spans.body FROM spans JOIN sources ON sources.id = source"
    )
    for done, (span_id, source, body) in enumerate(kept):
        known_span = normal(next(spans(iter([(source, body)]))))
        _, text = read(known_span)
        if text:
            db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (span_id, text))
        if time.monotonic() - said_s > SAY_EVERY_S:
            said_s = time.monotonic()
            logger.warning("runspan: bringing the store up to date, %d of %d spans", done, count)


def _ids(db: sqlite3.Connection, table: str) -> Iterator[int]:
    (last,) = db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608 - ours
    return itertools.count(last + 1)


class _Insertion:
    """The new spans of one trace, and what they change in what is stored of it."""

    def __init__(self, db: sqlite3.Connection, trace: bytes, run_ids: Iterator[int], now_s: int) -> None:
        self._db, self._trace, self._run_ids, self._now_s = db, trace, run_ids, now_s
        found = db.execute(TRACE, (trace,)).fetchone()
        self._is_new = found is None
        self._known = found or (0, 0, 0, 0, 0, "", "", "", NO_SUMS, now_s)
        if found is not None and not self._known[7]:  # of a store of version 1
            self.rearrange()
            self._known = db.execute(TRACE, (trace,)).fetchone()

    def take(self, rows: Mapping[bytes, Row], sources: Mapping[bytes, int], ids: Iterator[int]) -> None:
        fresh = self._without_known(rows, sources)
        is_replacing = fresh is None
        taken = rows if fresh is None else fresh
        if not taken:
            self._db.execute("UPDATE traces SET seen_s = ? WHERE trace = ?", (self._now_s, self._trace))
            return
        nodes = {
            row.span: Node(row.span, row.parent, row.start_ns, row.kind, row.facts) for row in taken.values()
        }
        made = None
        if not is_replacing:
            made = self._arrange(nodes, {r.span: (r.end_ns, r.service) for r in taken.values() if r.facts})
        numbered = [(next(ids), row, nodes[row.span]) for row in taken.values()]
        self._db.executemany(
            INSERT_SPAN,
            [(number, self._trace, row.span, row.parent, row.start_ns, row.end_ns, row.kind, row.name, row.is_error,
              row.service, node.row, node.in_call, None if row.facts is None else msgspec.json.encode(row.facts).decode(),
              sources[row.source], row.body) for number, row, node in numbered],
        )  # fmt: skip
        self._db.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)",
            [(number, row.words) for number, row, _ in numbered if row.words],
        )
        if made is None:
            self.rearrange()
        else:
            self._write(made, nodes)
            self._put_trace(made, taken.values())

    def rearrange(self) -> None:
        """As if all spans of the trace came at once."""
        self._db.execute("DELETE FROM runs WHERE trace = ?", (self._trace,))
        self._db.execute("UPDATE spans SET run = NULL, in_call = 0 WHERE trace = ?", (self._trace,))
        rows = self._db.execute(
            "SELECT span, parent, start_ns, end_ns, kind, name, is_error, service, facts FROM spans WHERE trace = ?",
            (self._trace,),
        ).fetchall()
        first_s = self._known[9]
        self._known = (0, 0, 0, 0, 0, "", "", "", NO_SUMS, first_s)
        lights = [
            Row(self._trace, span, parent, start_ns, end_ns, kind, name, bool(is_error), service, b"",
                _FACTS.decode(facts) if facts else None, "", b"")
            for span, parent, start_ns, end_ns, kind, name, is_error, service, facts in rows
        ]  # fmt: skip
        nodes = {row.span: Node(row.span, row.parent, row.start_ns, row.kind, row.facts) for row in lights}
        made = self._arrange(nodes, {r.span: (r.end_ns, r.service) for r in lights if r.facts}, is_alone=True)
        self._write(made, {})
        self._put_trace(made, lights)

    def _without_known(
        self, rows: Mapping[bytes, Row], sources: Mapping[bytes, int]
    ) -> Mapping[bytes, Row] | None:
        """The rows without those that are stored just so. None where any is stored in another form, which is taken out."""
        if self._is_new:
            return rows
        stored = {}
        for some in _chunks(list(rows)):
            sql = f"SELECT span, source, body FROM spans WHERE trace = ? AND span IN ({_marks(some)})"  # noqa: S608
            for span, source, body in self._db.execute(sql, (self._trace, *some)):
                stored[span] = (source, body)
        same = {s for s, is_stored in stored.items() if is_stored == (sources[rows[s].source], rows[s].body)}
        others = [span for span in stored if span not in same]
        if not others:
            return {span: row for span, row in rows.items() if span not in same} if same else rows
        forget(self._db, self._trace, list(stored))
        return None

    def _arrange(
        self, nodes: Mapping[bytes, Node], ends: Mapping[bytes, tuple[int, str]], *, is_alone: bool = False
    ) -> Arrangement:
        is_alone = is_alone or self._is_new
        nobody: Sequence[Node] = ()
        made = Arrangement(
            (lambda _: nobody) if is_alone else (lambda ids: self._nodes("span", ids)),
            (lambda _: nobody) if is_alone else (lambda ids: self._nodes("parent", ids)),
            self._run,
            lambda: next(self._run_ids),
        )
        made.add(nodes, ends)
        return made

    def _nodes(self, column: str, ids: Sequence[bytes]) -> Iterator[Node]:
        for some in _chunks(ids):
            sql = f"{NODES} AND {column} IN ({_marks(some)})"
            for span, parent, start_ns, kind, facts, run, in_call in self._db.execute(
                sql, (self._trace, *some)
            ):
                own = _FACTS.decode(facts) if facts else None
                yield Node(span, parent, start_ns, kind, own, run, bool(in_call))

    def _run(self, row: int) -> RunState:
        span, start_ns, duration_ns, service, outer, calls, facts, *sums = self._db.execute(
            RUN, (row,)
        ).fetchone()
        own = _FACTS.decode(facts)
        sent: Amounts = [[0, 0] if value is None else [value, 1] for value in sums]
        node = Node(span, None, start_ns, "", own, row)
        return RunState(
            row,
            node,
            start_ns + duration_ns,
            service,
            own,
            _CALLS.decode(calls),
            outer,
            sent,
            outer,
            is_new=False,
        )

    def _write(self, made: Arrangement, new: Mapping[bytes, Node]) -> None:
        """The rows of runs, and the spans that went over into another run."""
        gone = [(row,) for row in made.dissolved if not made.runs[row].is_new]
        self._db.executemany("DELETE FROM runs WHERE id = ?", gone)
        put = [self._run_values(state) for state in made.changed.values() if state.id not in made.dissolved]
        self._db.executemany(PUT_RUN, put)
        moved = [node for node in made.nodes.values() if node.span not in new and (node.has_moved or not new)]
        self._db.executemany(
            "UPDATE spans SET run = ?, in_call = ? WHERE trace = ? AND span = ?",
            [(node.row, node.in_call, self._trace, node.span) for node in moved],
        )

    def _run_values(self, state: RunState) -> tuple[object, ...]:
        node, facts = state.node, state.calls.whole(state.own)
        tokens = total((facts.input_tokens, facts.output_tokens))
        return (
            state.id, self._trace, node.span, node.start_ns, state.end_ns - node.start_ns, state.service, tokens,
            state.calls.tools, is_bad(facts.status, facts.unfinished, facts.error), state.outer,
            msgspec.json.encode(state.calls).decode(), *(getattr(facts, name) for name in FACTS),
        )  # fmt: skip

    def _put_trace(self, made: Arrangement, rows: Iterable[Row]) -> None:
        start_ns, end_ns, count, errors, runs, name, service, root, sums, first_s = self._known
        for row in rows:
            start_ns = min(start_ns or row.start_ns, row.start_ns or start_ns)
            end_ns = max(end_ns, row.end_ns)
            count += 1
            errors += row.is_error
            rank = _rank(row)
            if not root or rank < root:
                root, name, service = rank, row.name, row.service
        created = [s for s in made.runs.values() if s.is_new and s.id not in made.dissolved]
        gone = [row for row in made.dissolved if not made.runs[row].is_new]
        amounts = _SUMS.decode(sums)
        add(amounts, made.trace_sums)
        told = known(amounts)
        self._db.execute(
            PUT_TRACE,
            (self._trace, start_ns, end_ns, count, errors, runs + len(created) - len(gone), name, service,
             total((told["input_tokens"], told["output_tokens"])), told["cost"], first_s, self._now_s, root,
             msgspec.json.encode(amounts).decode()),
        )  # fmt: skip


def _rank(row: Row) -> str:
    """The smallest in a trace is its root: without a parent, else the earliest, of those the longest."""
    length = LATEST_NS - (row.end_ns - row.start_ns)
    return f"{row.parent is not None:d}{row.start_ns:019d}{length:019d}{row.span.hex()}"


def _chunks(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(ids), AT_ONCE):
        yield ids[at : at + AT_ONCE]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def forget(db: sqlite3.Connection, trace: bytes, wanted: Iterable[bytes]) -> None:
    """Take these spans and their words out."""
    for span in wanted:
        span_id, source, body = db.execute(
            "SELECT spans.id, sources.body, spans.body FROM spans JOIN sources ON sources.id = source"
            " WHERE trace = ? AND span = ?",
            (trace, span),
        ).fetchone()
        known_span = normal(next(spans(iter([(source, body)]))))
        _, text = read(known_span)
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


def forget_all(db: sqlite3.Connection) -> int:
    """Take everything out. The number of traces."""
    (count,) = db.execute("SELECT count(*) FROM traces").fetchone()
    db.execute("INSERT INTO words (words) VALUES ('delete-all')")
    for table in ("spans", "runs", "logs", "traces", "sources"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand above
    return int(count)
