"""Spans on disk: SQLite in one file, written by one thread in groups, read by many."""

from __future__ import annotations

from runspan.viewer.store.filters import RunFilter
from runspan.viewer.store.prune import Bounds
from runspan.viewer.store.queries import Store
from runspan.viewer.store.records import GroupRow, Run, TraceRow
from runspan.viewer.store.stats import Stat
from runspan.viewer.store.writer import StoreFullError

__all__ = ["Bounds", "GroupRow", "Run", "RunFilter", "Stat", "Store", "StoreFullError", "TraceRow"]
