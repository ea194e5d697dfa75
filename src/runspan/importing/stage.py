"""What an archive holds, put in order on disk: objects by conversation, each once, however they were scattered over files.

One SQLite file, which this process alone may open, deleted when the import is done. Until then a second start goes on with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..apis.archives import Archived, Kind
from ..config import ConfigError
from ..core.fields import Wire
from ..core.redact import clean
from .reports import BusyError, Fault
from .sources import Source

VERSION = 2  # of the tables
NO_STATE = (
    "{} holds something else, or is broken: delete it, or name another file for the state of the import."
)
_TABLES = """
CREATE TABLE sources (id INTEGER PRIMARY KEY, path BLOB, name TEXT, size INTEGER, changed_ns INTEGER, is_read INTEGER,
    recorded INTEGER);
CREATE TABLE faults (source INTEGER, line INTEGER, reason TEXT, is_remark INTEGER);
CREATE TABLE objects (seq INTEGER PRIMARY KEY, api TEXT, kind TEXT, place TEXT, run TEXT, id TEXT, at INTEGER,
    is_final INTEGER, is_answer INTEGER, source INTEGER, line INTEGER, body TEXT);
CREATE UNIQUE INDEX once ON objects (api, kind, place, run, id);
CREATE INDEX in_time ON objects (api, place, kind, at, seq);
CREATE TABLE done (key BLOB PRIMARY KEY) WITHOUT ROWID;
"""
# The first place of an object stays its place; a later look replaces it unless that saw less.
_PUT = """
INSERT INTO objects (seq, api, kind, place, run, id, at, is_final, is_answer, source, line, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (api, kind, place, run, id) DO UPDATE SET
at = coalesce(excluded.at, at), is_final = excluded.is_final, is_answer = excluded.is_answer, source = excluded.source,
line = excluded.line, body = excluded.body WHERE excluded.is_final >= is_final"""
NAMES: Mapping[Kind, str] = {
    Kind.AGENT: "agents",
    Kind.CONVERSATION: "conversations",
    Kind.MESSAGE: "messages",
    Kind.RUN: "runs",
    Kind.STEP: "steps",
    Kind.INPUTS: "lists of input",
}
RECORDED = "recorded calls"
_ROW = "id, run, at, is_answer, source, line, body"


class Row(Struct, frozen=True):
    """One object as it is staged."""

    id: str
    run_id: str
    at: int | None
    is_answer: bool
    source: int
    line: int
    wire: Wire


class Stage:
    """`path`: of the file; a file that is there is gone on with. Raises BusyError, OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # what users said is in it
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            self._open()
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise BusyError(f"another import works with {path}") from None
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                raise ConfigError(NO_STATE.format(path)) from None
            raise

    def _open(self) -> None:
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            "synchronous = OFF",
            "cache_size = -16000",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            if self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise ConfigError(NO_STATE.format(self.path))
            for statement in filter(str.strip, _TABLES.split(";")):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._lowest = self._db.execute("SELECT min(0, coalesce(min(seq), 0)) FROM objects").fetchone()[0]
        self.commit()

    def commit(self) -> None:
        """Keep what was done so far."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._db.execute("BEGIN IMMEDIATE")

    def close(self, *, is_done: bool) -> None:
        """`is_done`: nothing of it is needed any more."""
        if not is_done:
            with contextlib.suppress(sqlite3.Error):  # a full disk, which was told
                self.commit()
        self._db.close()
        if is_done:
            self._delete()

    def _delete(self) -> None:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self.path}{end}")

    # ------------------------------------------------------------ sources

    def begin(self, source: Source, *, is_new: bool = True) -> int:
        """Its number. What was read of it by half is read again; not `is_new`: what is here of it stays."""
        found = self._db.execute(
            "SELECT id FROM sources WHERE path = ?", (os.fsencode(source.path),)
        ).fetchone()
        values = (os.fsencode(source.path), clean(source.name), source.size, source.changed_ns)
        if found is None:
            sql = "INSERT INTO sources VALUES (NULL, ?, ?, ?, ?, 0, 0) RETURNING id"
            return int(self._db.execute(sql, values).fetchone()[0])
        if is_new:
            self._db.execute("DELETE FROM faults WHERE source = ?", found)
        return int(found[0])

    def clear(self) -> None:
        """Begin anew."""
        for table in ("sources", "faults", "objects", "done"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - ours
        self.commit()

    def is_read(self, source: Source) -> bool:
        """Whether all of it is here."""
        sql = "SELECT is_read FROM sources WHERE path = ?"
        return bool((self._db.execute(sql, (os.fsencode(source.path),)).fetchone() or (0,))[0])

    def knows_only(self, wanted: Iterable[Source]) -> bool:
        """Whether no file that it was made of is gone or changed since."""
        now = {(os.fsencode(source.path), source.size, source.changed_ns) for source in wanted}
        known = self._db.execute("SELECT path, size, changed_ns FROM sources").fetchall()
        return all(tuple(one) in now for one in known)

    def end(self, source: int, recorded: int) -> None:
        """All of it is here. `recorded`: how many calls are in it."""
        self._db.execute("UPDATE sources SET is_read = 1, recorded = ? WHERE id = ?", (recorded, source))
        self.commit()

    def name_of(self, source: int) -> str:
        return str(self._db.execute("SELECT name FROM sources WHERE id = ?", (source,)).fetchone()[0])

    def recorded(self) -> list[tuple[str, str]]:
        """(path, name) of the files that hold recorded traffic, in the order in which they were read."""
        found = self._db.execute("SELECT path, name FROM sources WHERE recorded > 0 ORDER BY id")
        return [(os.fsdecode(path), name) for path, name in found]

    def found(self) -> dict[str, int]:
        """How many objects of each kind, each counted once, and how many recorded calls with what they brought."""
        sql = "SELECT kind, count(*) FROM objects WHERE source IN (SELECT id FROM sources WHERE recorded = 0) GROUP BY 1"
        kinds = dict(self._db.execute(sql))
        found = {name: kinds[kind] for kind, name in NAMES.items() if kind in kinds}
        (recorded,) = self._db.execute("SELECT coalesce(sum(recorded), 0) FROM sources").fetchone()
        return dict(sorted({**found, **({RECORDED: recorded} if recorded else {})}.items()))

    def fault(self, source: int, fault: Fault) -> None:
        values = (source, fault.line, clean(fault.reason), fault.is_remark)
        self._db.execute("INSERT INTO faults VALUES (?, ?, ?, ?)", values)

    def faults(self, of: Source | None = None) -> Iterator[Fault]:
        """All of them, or those of one file."""
        where, values = ("", ()) if of is None else ("WHERE path = ?", (os.fsencode(of.path),))
        sql = (
            "SELECT name, line, reason, is_remark FROM faults JOIN sources ON sources.id = source"  # noqa: S608 - ours
            f" {where} ORDER BY source, line"
        )
        for name, line, reason, is_remark in self._each(sql, values):
            yield Fault(name, line, reason, bool(is_remark))

    # ------------------------------------------------------------ objects

    def put(self, api: str, found: Archived, source: int, line: int, *, falls: bool = False) -> None:
        """`falls`: it is older than what was put before, as in a list that is newest first, over all of its pages."""
        if falls:
            self._lowest -= 1
        seq = self._lowest if falls else None
        body = json.dumps(found.wire, separators=(",", ":"), default=str)
        ids = (
            clean(found.place),
            clean(found.run_id),
            clean(found.id),
        )  # half a surrogate pair is no text here
        values = (api, found.kind.value, *ids, found.at)
        self._db.execute(_PUT, (seq, *values, found.is_final, found.is_answer, source, line, body))

    def places(self) -> Iterator[tuple[str, str]]:
        """(api, conversation), those that began first first."""
        sql = "SELECT api, place FROM objects WHERE kind IN ('run', 'message') GROUP BY api, place ORDER BY min(at), min(seq)"
        yield from self._each(sql, ())

    def rows(self, api: str, kind: Kind, place: str, run_id: str | None = None) -> Iterator[Row]:
        """In time, those of one second as they were read."""
        # With the + SQLite sorts a run's few rows, instead of looking for them among all of the conversation's.
        of_run, order = ("", "at, seq") if run_id is None else (" AND run = ?", "+at, +seq")
        values = () if run_id is None else (run_id,)
        sql = f"SELECT {_ROW} FROM objects WHERE api = ? AND place = ? AND kind = ?{of_run} ORDER BY {order}"  # noqa: S608
        for row in self._each(sql, (api, place, kind.value, *values)):
            yield _row(row)

    def one(self, api: str, kind: Kind, id_: str, place: str = "", run_id: str = "") -> Row | None:
        sql = f"SELECT {_ROW} FROM objects WHERE api = ? AND kind = ? AND place = ? AND run = ? AND id = ?"  # noqa: S608
        values = (api, kind.value, *map(clean, (place, run_id, id_)))
        found = self._db.execute(sql, values).fetchone()
        return None if found is None else _row(found)

    def has_final(self, api: str, place: str, run_id: str) -> bool:
        """Whether a run is here with its end; where it names no conversation, its place is its own."""
        sql = "SELECT 1 FROM objects WHERE api = ? AND kind = 'run' AND place IN (?, ?) AND run = ? AND id = ? AND is_final = 1"
        values = (api, *map(clean, (place, run_id, run_id, run_id)))
        return self._db.execute(sql, values).fetchone() is not None

    def has_other_answers(self, api: str, place: str) -> bool:
        """Whether a run wrote messages here that is not here itself, or that they do not name."""
        sql = (
            "SELECT 1 FROM objects AS m WHERE api = ? AND place = ? AND kind = 'message' AND is_answer = 1"
            " AND NOT EXISTS (SELECT 1 FROM objects AS r WHERE r.api = m.api AND r.kind = 'run'"
            " AND r.place = m.place AND r.run = m.run AND r.id = m.run) LIMIT 1"
        )
        return self._db.execute(sql, (api, clean(place))).fetchone() is not None

    def run_ids(self, api: str, place: str) -> set[str]:
        sql = "SELECT id FROM objects WHERE api = ? AND place = ? AND kind = 'run'"
        return {id_ for (id_,) in self._db.execute(sql, (api, place))}

    def without_run(self) -> Iterator[tuple[str, Fault]]:
        """(conversation, fault): steps and input of runs that are not here. What recorded calls brought is played with them."""
        sql = (
            "SELECT place, name, min(line), o.run, o.kind, count(*) FROM objects AS o JOIN sources ON sources.id = o.source"
            " WHERE kind IN ('step', 'inputs') AND recorded = 0 AND NOT EXISTS (SELECT 1 FROM objects AS r"
            " WHERE r.api = o.api AND r.kind = 'run' AND r.run = o.run AND r.id = o.run"
            " AND (r.place = o.place OR o.kind = 'inputs')) GROUP BY o.source, place, o.run, o.kind ORDER BY 2, 3"
        )
        for place, name, line, run_id, kind, number in self._each(sql, ()):
            what = f"{number:,} steps" if kind == Kind.STEP else "the input"
            yield place, Fault(name, line, f"{run_id}: {what} of a run that is in no archive")

    def _each(self, sql: str, values: Sequence[Any]) -> Iterator[Any]:
        cursor = self._db.cursor()
        cursor.execute(sql, values)
        while some := cursor.fetchmany(200):
            yield from some

    # ------------------------------------------------------------ what is out

    def is_done(self, key: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM done WHERE key = ?", (key,)).fetchone() is not None

    def count_done(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM done").fetchone()[0])

    def done(self, keys: Iterable[bytes]) -> None:
        """These were delivered."""
        self._db.executemany("INSERT OR IGNORE INTO done VALUES (?)", [(key,) for key in keys])
        self.commit()


def _row(row: Sequence[Any]) -> Row:
    id_, run_id, at, is_answer, source, line, body = row
    return Row(id_, run_id, at, bool(is_answer), source, line, json.loads(body))
