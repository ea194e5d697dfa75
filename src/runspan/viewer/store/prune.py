"""Bounds of the file: the oldest traces go, a few at a time, so that no sender waits long for it.

What the index of words holds of a removed span is given back only when the index is merged: a removal is one more
entry in it. So it is merged whenever a part of it is dead; traces that fit would go for the dead words otherwise.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runspan.viewer.store.insert import forget_trace

TRACES_AT_ONCE = 50
LOGS_AT_ONCE = 1_000
DEAD_SHARE = 8  # one in so many spans removed since the last merge is worth a new one
MERGE_PAGES = 2_000  # of the index, at once
HOMELESS_S = 3_600.0  # so long a log record may wait for its trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is kept. The oldest traces go when either of the first two is passed."""

    age_s: float = 30 * 86_400.0  # since a trace was last heard of
    file_bytes: int = 2 * 2**30  # in use; the journal beside it takes up to 64 MB more
    waiting_bytes: int = 128 * 2**20  # of decoded requests that wait to be written


class Pruner:
    """`some` removes a little of what is beyond the bounds and says whether there was any."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._last_log = 0  # up to this id, every record has its trace
        self._removed = 0  # spans, since the words were last merged
        self._is_merging = False

    def some(self, db: sqlite3.Connection) -> bool:
        """In transactions of its own."""
        is_too_big = used_bytes(db) > self._bounds.file_bytes
        if self._is_merging or (is_too_big and self._has_many_dead(db)):
            self._merge(db)
            return True
        oldest_s = int(time.time() - self._bounds.age_s)
        condition, values = ("1", ()) if is_too_big else ("seen_s < ?", (oldest_s,))
        sql = f"SELECT trace FROM traces WHERE {condition} AND is_kept = 0 ORDER BY seen_s LIMIT {TRACES_AT_ONCE}"  # noqa: S608
        old = db.execute(sql, values).fetchall()
        if old:
            with transaction(db):
                for (trace,) in old:
                    if is_too_big and used_bytes(db) <= self._bounds.file_bytes:
                        break
                    self._removed += forget_trace(db, trace)
                # A source that no present trace can have used: none of them had begun to arrive when it was last heard of.
                db.execute("DELETE FROM sources WHERE seen_s < (SELECT min(first_s) FROM traces)")
        return self._homeless_logs(db, is_too_big) or bool(old)

    def is_far_beyond(self, db: sqlite3.Connection) -> bool:
        """Whether senders bring more than goes, and have to wait for it."""
        return used_bytes(db) > self._bounds.file_bytes * 9 // 8

    def _has_many_dead(self, db: sqlite3.Connection) -> bool:
        (there,) = db.execute("SELECT coalesce(max(id) - min(id) + 1, 0) FROM spans").fetchone()
        return self._removed * DEAD_SHARE > int(there)

    def _merge(self, db: sqlite3.Connection) -> None:
        """One step of it; the first, below zero, takes in the whole index (sqlite.org/fts5.html, "the merge command")."""
        before, pages = db.total_changes, MERGE_PAGES if self._is_merging else -MERGE_PAGES
        with transaction(db):
            db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
        self._is_merging = db.total_changes - before > 1
        if not self._is_merging:
            self._removed = 0

    def _homeless_logs(self, db: sqlite3.Connection, is_too_big: bool) -> bool:
        before_s = int(time.time() - (0 if is_too_big else HOMELESS_S))
        rows = db.execute(
            "SELECT id, EXISTS (SELECT 1 FROM traces WHERE traces.trace = logs.trace) FROM logs"
            " WHERE id > ? AND seen_s < ? ORDER BY id LIMIT ?",
            (self._last_log, before_s, LOGS_AT_ONCE),
        ).fetchall()
        homeless = [(log,) for log, has_trace in rows if not has_trace]
        if rows and not is_too_big:
            self._last_log = rows[-1][0]
        if homeless:
            with transaction(db):
                db.executemany("DELETE FROM logs WHERE id = ?", homeless)
        return bool(homeless)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something; pages of removed traces are used again."""
    pages, free, size = (
        db.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
