"""Bounds of the file: the oldest traces go, a few at a time, so that no sender waits long for it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runspan.viewer.store.insert import forget_trace

TRACES_AT_ONCE = 50
LOGS_AT_ONCE = 1_000
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

    def some(self, db: sqlite3.Connection) -> bool:
        """In transactions of its own."""
        is_too_big = used_bytes(db) > self._bounds.file_bytes
        oldest_s = int(time.time() - self._bounds.age_s)
        condition, values = ("1", ()) if is_too_big else ("seen_s < ?", (oldest_s,))
        sql = f"SELECT trace FROM traces WHERE {condition} ORDER BY seen_s LIMIT {TRACES_AT_ONCE}"  # noqa: S608
        old = db.execute(sql, values).fetchall()
        if old:
            with transaction(db):
                for (trace,) in old:
                    if is_too_big and used_bytes(db) <= self._bounds.file_bytes:
                        break
                    forget_trace(db, trace)
                # A source that no present trace can have used: none of them had begun to arrive when it was last heard of.
                db.execute("DELETE FROM sources WHERE seen_s < (SELECT min(first_s) FROM traces)")
        return self._homeless_logs(db, is_too_big) or bool(old)

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
