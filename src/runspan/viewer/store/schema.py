"""The database file: its tables, how it is opened, and who may read it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

VERSION = 2  # of the tables, of the packing and of what goes into the index
APPLICATION_ID = 0x72756E73  # "runs": says that the file is ours

TABLES = """
CREATE TABLE sources (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, seen_s INTEGER NOT NULL, body BLOB NOT NULL);

-- The body is last: what stands before it is read without touching it.
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB NOT NULL, parent BLOB, start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, is_error INTEGER NOT NULL, service TEXT NOT NULL,
    run INTEGER, in_call INTEGER NOT NULL, facts TEXT, source INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX spans_by_id ON spans (trace, span);
CREATE INDEX spans_by_parent ON spans (trace, parent) WHERE parent IS NOT NULL;

CREATE TABLE logs (
    id INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB, time_ns INTEGER NOT NULL, source INTEGER NOT NULL,
    seen_s INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX logs_by_trace ON logs (trace);

-- One row a run, and one a model call that belongs to none. Made from spans.facts alone, so it can be made again.
-- `outer`: the run that holds this one; its sums hold this one's. `calls`: what the sums are made of (summary.py).
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB NOT NULL, sort TEXT NOT NULL,
    start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, status TEXT NOT NULL, unfinished TEXT NOT NULL,
    name TEXT NOT NULL, model TEXT NOT NULL, service TEXT NOT NULL, thread TEXT NOT NULL, session TEXT NOT NULL,
    user TEXT NOT NULL, run_id TEXT NOT NULL, queue_s REAL, active_s REAL, tool_wait_s REAL, lag_s REAL,
    first_token_s REAL, polls INTEGER, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    reasoning_tokens INTEGER, tokens INTEGER, cost REAL, tools INTEGER NOT NULL, error TEXT NOT NULL,
    question TEXT NOT NULL, answer TEXT NOT NULL, uncertainty_s REAL, is_bad INTEGER NOT NULL,
    outer INTEGER, calls TEXT NOT NULL);
CREATE UNIQUE INDEX runs_by_id ON runs (trace, span);
CREATE INDEX runs_of_trace ON runs (trace, start_ns);
CREATE INDEX runs_by_bad ON runs (start_ns) WHERE is_bad = 1;
CREATE INDEX runs_by_start ON runs (start_ns, thread, session); -- covers the search for the newest of both
CREATE INDEX runs_by_duration ON runs (duration_ns);
CREATE INDEX runs_by_queue ON runs (queue_s);
CREATE INDEX runs_by_tokens ON runs (tokens);
CREATE INDEX runs_by_cost ON runs (cost);
CREATE INDEX runs_by_status ON runs (status, start_ns);
CREATE INDEX runs_by_name ON runs (name, start_ns);
CREATE INDEX runs_by_model ON runs (model, start_ns);
CREATE INDEX runs_by_service ON runs (service, start_ns);
CREATE INDEX runs_by_run_id ON runs (run_id) WHERE run_id <> '';
CREATE INDEX runs_by_thread ON runs (thread, start_ns) WHERE thread <> '';
CREATE INDEX runs_by_session ON runs (session, start_ns) WHERE session <> '';
CREATE INDEX runs_by_user ON runs (user, start_ns) WHERE user <> '';

CREATE TABLE traces (
    trace BLOB PRIMARY KEY, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, spans INTEGER NOT NULL,
    errors INTEGER NOT NULL, runs INTEGER NOT NULL, name TEXT NOT NULL, service TEXT NOT NULL, tokens INTEGER, cost REAL,
    first_s INTEGER NOT NULL, seen_s INTEGER NOT NULL, root TEXT NOT NULL, sums TEXT NOT NULL, is_kept INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX traces_by_start ON traces (start_ns);
CREATE INDEX traces_by_service ON traces (service, start_ns);
CREATE INDEX traces_by_first ON traces (first_s);
CREATE INDEX traces_by_seen ON traces (seen_s);

"""
WORDS = """
-- Without the text itself: a row's words are taken out by giving them again, which rows.py can.
CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize="unicode61 remove_diacritics 2");
"""

# From version 1: what a later insertion needs of a trace is found anew then (insert.py), as its root is not known.
MIGRATION = (
    """
ALTER TABLE spans ADD COLUMN in_call INTEGER NOT NULL DEFAULT 0;
CREATE INDEX spans_by_parent ON spans (trace, parent) WHERE parent IS NOT NULL;
ALTER TABLE runs ADD COLUMN uncertainty_s REAL;
ALTER TABLE runs ADD COLUMN is_bad INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN outer INTEGER;
ALTER TABLE runs ADD COLUMN calls TEXT NOT NULL DEFAULT '{}';
UPDATE runs SET is_bad = 1 WHERE status IN ('failed', 'expired', 'error') OR unfinished <> '' OR error <> '';
CREATE INDEX runs_of_trace ON runs (trace, start_ns);
CREATE INDEX runs_by_bad ON runs (start_ns) WHERE is_bad = 1;
CREATE INDEX runs_by_service ON runs (service, start_ns);
CREATE INDEX runs_by_run_id ON runs (run_id) WHERE run_id <> '';
ALTER TABLE traces ADD COLUMN root TEXT NOT NULL DEFAULT '';
ALTER TABLE traces ADD COLUMN sums TEXT NOT NULL DEFAULT '';
ALTER TABLE traces ADD COLUMN is_kept INTEGER NOT NULL DEFAULT 0;
CREATE INDEX traces_by_service ON traces (service, start_ns);
DROP TABLE words;
"""
    + WORDS
)

WAIT_S = 10.0  # for another viewer that writes or makes the same file
PRAGMAS = (
    # In WAL mode a commit survives the end of the process, however it ends; the last ones may be lost with the power.
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    # 32 MB. Runs arrive at random places of a dozen indices: a page that many commits touched goes to the file once.
    "PRAGMA wal_autocheckpoint = 8000",
    "PRAGMA journal_size_limit = 67108864",
)
READING = (
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
    "PRAGMA mmap_size = 1073741824",
)


NOT_WRITABLE = "the store {} can't be written ({}); name another file with --db"


class NotOurFileError(ValueError):
    """The file can't be used as a store of this version; the message says what to do."""


def open_file(path: Path, reindex: Callable[[sqlite3.Connection], None] | None = None) -> sqlite3.Connection:
    """A connection that may write; makes the file, readable by its owner alone, where there is none.

    `reindex` makes the index of words anew, for a file of version 1. Raises `NotOurFileError` for what is not ours.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the journals take over its mode
    except OSError as error:
        raise NotOurFileError(NOT_WRITABLE.format(path, error.strerror)) from error
    check(path, may_be_new=True)
    try:
        connection = connect(path)
        _make(connection, reindex)
    except sqlite3.OperationalError as error:  # a full disk
        raise NotOurFileError(NOT_WRITABLE.format(path, error)) from error
    return connection


def _make(db: sqlite3.Connection, reindex: Callable[[sqlite3.Connection], None] | None) -> None:
    """The tables, where they are not there yet. It is looked under the lock, as another viewer may do the same."""
    steps = {0: TABLES + WORDS, 1: MIGRATION}
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            for statement in _statements(steps[version]):
                db.execute(statement)
            if version and reindex is not None:
                reindex(db)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would end the transaction that they stand in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def check(path: Path, *, may_be_new: bool = False) -> None:
    """Raises `NotOurFileError` for what is no store of ours. Only reads."""
    db = _without_writing(path)
    try:
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (known,), (version,) = (
            db.execute(f"PRAGMA {n}").fetchone() for n in ("application_id", "user_version")
        )
    except sqlite3.DatabaseError as error:
        if "lock" in str(error):
            raise
        raise NotOurFileError(
            f"{path} is not a runspan store ({error}); name another file with --db"
        ) from error
    finally:
        db.close()
    if not tables and may_be_new:
        return
    if not tables:
        raise NotOurFileError(f"{path} holds no traces: it is an empty file")
    if known != APPLICATION_ID:
        raise NotOurFileError(f"{path} is a database of another program; name another file with --db")
    if version == 1 and not may_be_new:
        raise NotOurFileError(f"{path} is of an older runspan; `runspan ui --db {path}` brings it up to date")
    if version not in (1, VERSION):
        raise NotOurFileError(
            f"{path} was written by another version of runspan; move it away, or name another file with --db"
        )


def _without_writing(path: Path) -> sqlite3.Connection:
    """Where nobody writes there is no log beside the file; SQLite would make one, even to read alone."""
    if path.is_dir():
        raise NotOurFileError(f"{path} is a folder; name the file of a store with --db")
    is_alone = not path.with_name(f"{path.name}-wal").exists()
    mode = "mode=ro&immutable=1" if is_alone else "mode=ro"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, check_same_thread=False,
        cached_statements=256, timeout=WAIT_S,
    )  # fmt: skip


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing: neither the file, nor its journal mode, nor what stands beside it.

    Raises `NotOurFileError` for what is not ours.
    """
    check(path)
    return _tuned(_without_writing(path))


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, to be used by one thread at a time."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=WAIT_S
    )
    _execute_patiently(connection, PRAGMAS)
    return _tuned(connection)


def _tuned(connection: sqlite3.Connection) -> sqlite3.Connection:
    for pragma in READING:
        connection.execute(pragma)
    return connection


def _execute_patiently(db: sqlite3.Connection, statements: Iterable[str]) -> None:
    """SQLite does not wait by itself while another one switches a new file to WAL."""
    end_s = time.monotonic() + WAIT_S
    for statement in statements:
        while True:
            try:
                db.execute(statement)
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end_s:
                    raise
                time.sleep(0.02)
