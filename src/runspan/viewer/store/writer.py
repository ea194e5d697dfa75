"""The one thread that writes. Who brings a batch is told when it is on disk, in a group with the others that waited."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from runspan.viewer.store.insert import insert, reindex
from runspan.viewer.store.prune import Bounds, Pruner, transaction
from runspan.viewer.store.rows import Batch
from runspan.viewer.store.schema import open_file

logger = logging.getLogger("runspan.viewer")

Work = Callable[[sqlite3.Connection], Any]
Item = tuple[Batch | Work, Future[Any]]

GROUP_SPANS = 5_000  # in one transaction at most
PRUNE_EVERY_S = 5.0
PRUNE_STEPS = 10  # between two groups, where senders bring more than goes


class StoreFullError(Exception):
    """More waits to be written than `Bounds.waiting_bytes`; the sender may come again."""


def _begun() -> Future[Any]:
    """A future that nobody can cancel: asyncio cancels it with the sender's request, and then the writer could not answer it."""
    made: Future[Any] = Future()
    made.set_running_or_notify_cancel()
    return made


class Writer:
    """Owns the file for writing until `close`."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        self._db = open_file(path, reindex)
        self._bounds = bounds
        self._pruner = Pruner(bounds)
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._is_closed = False
        self._next_prune_s = 0.0
        self._thread = threading.Thread(target=self._run, name="runspan-store", daemon=True)
        self._thread.start()

    def add(self, batch: Batch) -> Future[None]:
        """Done once the batch is committed; holds the error when it could not be. Raises `StoreFullError`."""
        done = _begun()
        with self._lock:
            if self._is_closed:
                raise StoreFullError("the store is closed")
            if self._waiting and self._waiting + batch.size > self._bounds.waiting_bytes:
                raise StoreFullError("too much waits to be written")
            self._waiting += batch.size
            self._queue.put((batch, done))
        return done

    def do(self, work: Work) -> Future[Any]:
        """Run in a transaction of its own, after what waits; the future has the work's result."""
        done = _begun()
        with self._lock:
            if self._is_closed:
                raise StoreFullError("the store is closed")
            self._queue.put((work, done))
        return done

    def close(self) -> None:
        """Write what waits, then end."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            group, is_last = self._next_group()
            if group:
                self._write(group)
            if is_last:
                break
            self._prune()
        with suppress(
            sqlite3.Error
        ):  # another program may write just now, and its locks are no fault of ours
            self._db.execute("PRAGMA optimize")
        self._db.close()

    def _next_group(self) -> tuple[list[Item], bool]:
        group: list[Item] = []
        size = 0
        try:
            while size < GROUP_SPANS:
                item = self._queue.get_nowait() if group else self._queue.get(timeout=self._patience_s())
                if item is None:
                    return group, True
                group.append(item)
                if not isinstance(item[0], Batch):
                    break  # what came before it is written before it, in the same transaction
                size += len(item[0].rows) + len(item[0].logs)
        except queue.Empty:
            pass
        return group, False

    def _patience_s(self) -> float:
        return max(0.001, self._next_prune_s - time.monotonic())

    def _write(self, group: list[Item]) -> None:
        error: Exception | None = None
        results: list[Any] = []
        try:
            with transaction(self._db):
                results = [self._take(work) for work, _ in group]
        except Exception as caught:  # a full disk, a lock held too long: nothing of the group is there
            error = caught
            logger.warning("runspan: could not write to the store: %s", caught)
        with self._lock:
            self._waiting -= sum(work.size for work, _ in group if isinstance(work, Batch))
        for at, (_, done) in enumerate(group):
            if error is None:
                done.set_result(results[at])
            else:
                done.set_exception(error)

    def _take(self, work: Batch | Work) -> Any:
        return insert(self._db, work) if isinstance(work, Batch) else work(self._db)

    def _prune(self) -> None:
        now_s = time.monotonic()
        if now_s < self._next_prune_s:
            return
        try:
            for _ in range(PRUNE_STEPS):
                has_more = self._pruner.some(self._db)
                if not has_more or not self._pruner.is_far_beyond(self._db):
                    break
        except sqlite3.Error as error:
            logger.warning("runspan: could not prune the store: %s", error)
            has_more = False
        self._next_prune_s = now_s if has_more else now_s + PRUNE_EVERY_S
