"""OTLP files into a store: JSON lines (one export a line, as the Collector writes them), a JSON export or a list of
them, and protobuf exports. All of a file or nothing of it that stands after the first fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from runspan.viewer.decode import JSON, PROTOBUF, BadBodyError
from runspan.viewer.store import rows
from runspan.viewer.store.queries import Store

MAX_LINE = 64 * 2**20


def load(store: Store, path: Path) -> int:
    """The number of spans taken from the file. Raises ValueError, with the file and line, for what is no OTLP; OSError."""
    count = 0
    for where, body, content_type in _exports(path):
        try:
            batch = rows.traces(body, content_type)
        except BadBodyError as error:
            raise ValueError(f"{path}{where}: {error}") from error
        if batch.rows:
            store.add(batch).result()
        count += len(batch.rows)
    return count


def _exports(path: Path) -> Iterator[tuple[str, bytes, str]]:
    """(where in the file, body, content type) of each export in it."""
    with path.open("rb") as file:
        first = file.readline(MAX_LINE)
        file.seek(0)
        if first.lstrip()[:1] not in (b"{", b"["):
            yield "", file.read(), PROTOBUF
        elif first.lstrip()[:1] == b"{" and _is_json(first):
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
                if line.strip():
                    yield f", line {number}", line, JSON
        else:
            yield from _values(path, file.read())


def _values(path: Path, whole: bytes) -> Iterator[tuple[str, bytes, str]]:
    """One JSON value over many lines, or a list of exports."""
    try:
        data = json.loads(whole)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: neither JSON nor JSON lines: {error}") from error
    for item in data if isinstance(data, list) else [data]:
        yield "", json.dumps(item).encode(), JSON


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
