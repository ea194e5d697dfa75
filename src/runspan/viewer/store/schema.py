"""The database file: its tables, how it is opened, and who may read it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

VERSION = 1  # of the tables, of the packing and of what goes into the index
APPLICATION_ID = 0x72756E73  # "runs": says that the file is ours

TABLES = """
CREATE TABLE sources (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, seen_s INTEGER NOT NULL, body BLOB NOT NULL);

-- The body is last: what stands before it is read without touching it.
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB NOT NULL, parent BLOB, start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, is_error INTEGER NOT NULL, service TEXT NOT NULL,
    run INTEGER, facts TEXT, source INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX spans_by_id ON spans (trace, span);

CREATE TABLE logs (
    id INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB, time_ns INTEGER NOT NULL, source INTEGER NOT NULL,
    seen_s INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX logs_by_trace ON logs (trace);

-- One row a run, and one a model call that belongs to none. Made from spans.facts alone, so it can be made again.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB NOT NULL, sort TEXT NOT NULL,
    start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, status TEXT NOT NULL, unfinished TEXT NOT NULL,
    name TEXT NOT NULL, model TEXT NOT NULL, service TEXT NOT NULL, thread TEXT NOT NULL, session TEXT NOT NULL,
    user TEXT NOT NULL, run_id TEXT NOT NULL, queue_s REAL, active_s REAL, tool_wait_s REAL, lag_s REAL,
    first_token_s REAL, polls INTEGER, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    reasoning_tokens INTEGER, tokens INTEGER, cost REAL, tools INTEGER NOT NULL, error TEXT NOT NULL,
    question TEXT NOT NULL, answer TEXT NOT NULL);
CREATE UNIQUE INDEX runs_by_id ON runs (trace, span);
CREATE INDEX runs_by_start ON runs (start_ns, thread, session); -- covers the search for the newest of both
CREATE INDEX runs_by_duration ON runs (duration_ns);
CREATE INDEX runs_by_queue ON runs (queue_s);
CREATE INDEX runs_by_tokens ON runs (tokens);
CREATE INDEX runs_by_cost ON runs (cost);
CREATE INDEX runs_by_status ON runs (status, start_ns);
CREATE INDEX runs_by_name ON runs (name, start_ns);
CREATE INDEX runs_by_model ON runs (model, start_ns);
CREATE INDEX runs_by_thread ON runs (thread, start_ns) WHERE thread <> '';
CREATE INDEX runs_by_session ON runs (session, start_ns) WHERE session <> '';
CREATE INDEX runs_by_user ON runs (user, start_ns) WHERE user <> '';

CREATE TABLE traces (
    trace BLOB PRIMARY KEY, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, spans INTEGER NOT NULL,
    errors INTEGER NOT NULL, runs INTEGER NOT NULL, name TEXT NOT NULL, service TEXT NOT NULL, tokens INTEGER, cost REAL,
    first_s INTEGER NOT NULL, seen_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX traces_by_start ON traces (start_ns);
CREATE INDEX traces_by_first ON traces (first_s);
CREATE INDEX traces_by_seen ON traces (seen_s);

-- Without the text itself: a row's words are taken out by giving them again, which rows.py can.
CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize="unicode61 remove_diacritics 2");
"""

PRAGMAS = (
    # In WAL mode a commit survives the end of the process, however it ends; the last ones may be lost with the power.
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 5000",
    # 32 MB. Runs arrive at random places of a dozen indices: a page that many commits touched goes to the file once.
    "PRAGMA wal_autocheckpoint = 8000",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
    "PRAGMA mmap_size = 1073741824",
)


READING = tuple(pragma for pragma in PRAGMAS if "journal" not in pragma and "wal" not in pragma)


class NotOurFileError(ValueError):
    """The file can't be used as a store of this version; the message says what to do."""


def open_file(path: Path) -> sqlite3.Connection:
    """A connection that may write; makes the file, readable by its owner alone, where there is none."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the journals take over its mode
    except OSError as error:
        raise NotOurFileError(
            f"the store {path} can't be written ({error.strerror}); name another file with --db"
        ) from error
    is_new = _is_new(path)
    connection = connect(path)
    if is_new:
        connection.executescript(
            f"BEGIN IMMEDIATE; {TABLES}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    return connection


def _is_new(path: Path) -> bool:
    """Whether the file is empty; raises `NotOurFileError` for what is not ours, which stays as it is."""
    db = _without_writing(path)
    try:
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return True
        (known,), (version,) = (
            db.execute(f"PRAGMA {n}").fetchone() for n in ("application_id", "user_version")
        )
    except sqlite3.DatabaseError as error:
        raise NotOurFileError(
            f"{path} is not a runspan store ({error}); name another file with --db"
        ) from error
    finally:
        db.close()
    if known != APPLICATION_ID:
        raise NotOurFileError(f"{path} is a database of another program; name another file with --db")
    if version != VERSION:
        raise NotOurFileError(
            f"{path} was written by another version of runspan; move it away, or name another file with --db"
        )
    return False


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing: neither the file, nor its journal mode, nor what stands beside it.

    Raises `NotOurFileError` for what is not ours.
    """
    if _is_new(path):
        raise NotOurFileError(f"{path} holds no traces: it is an empty file")
    connection = _without_writing(path)
    for pragma in READING:
        connection.execute(pragma)
    return connection


def _without_writing(path: Path) -> sqlite3.Connection:
    """Where nobody writes there is no log beside the file; SQLite would make one, even to read alone."""
    is_alone = not path.with_name(f"{path.name}-wal").exists()
    mode = "mode=ro&immutable=1" if is_alone else "mode=ro"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, to be used by one thread at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection
