"""Where `runspan import` delivers to: the viewer's store, a file, or OTLP."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..exporting.encoding import encode
from ..viewer import Store, StoreFullError, default_db
from ..viewer.decode import PROTOBUF
from ..viewer.store import rows

VIEWER, OTLP = "viewer", "otlp"


class StoreExporter(SpanExporter):
    """Into the viewer's store, whether the viewer runs or not. Spans that are there are replaced by themselves."""

    cure = "Is its disk full?"

    def __init__(self, db: Path | None) -> None:
        self.is_worth_another_try = True
        self.path = default_db() if db is None else db
        self._store = Store(self.path)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        batch = rows.traces(encode(spans).SerializeToString(), PROTOBUF)
        try:
            self._store.add(batch).result()  # one at a time, so it always has room
        except (StoreFullError, sqlite3.Error) as error:
            self.cure = f"{self.path}: {error}."
            self.is_worth_another_try = "locked" in str(error)  # and not on a full disk
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._store.close()


def state_path(paths: Sequence[Path], **choices: Any) -> Path:
    """Where this very import keeps how far it came: the same paths and choices give the same file. Makes its folder."""
    said = json.dumps([[str(path.absolute()) for path in paths], choices], sort_keys=True, default=str)
    folder = default_db().parent / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.db"
