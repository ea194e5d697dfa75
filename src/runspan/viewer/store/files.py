"""OTLP files: JSON lines (one export a line, as the Collector writes them), a JSON export or a list of them, and protobuf
exports; each also packed by gzip, with a byte order mark, or in UTF-16. All of a file or nothing of it that stands after
the first fault."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from runspan.viewer.decode import JSON, PROTOBUF, BadBodyError
from runspan.viewer.store import rows
from runspan.viewer.store.queries import Store

SQLITE = b"SQLite format 3\x00"
MAX_LINE = 64 * 2**20
GZIP = b"\x1f\x8b"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Seen = Callable[[int], None]
Note = Callable[[str], None]  # takes a line for the user


def load(store: Store, path: Path, note: Note = lambda _: None, seen: Seen = lambda _: None) -> int:
    """The number of spans taken from the file. Raises ValueError, with the file and line, for what is no OTLP; OSError.

    `seen` is given that number as it grows.
    """
    count = 0
    for where, body, content_type in exports(path, note):
        try:
            batch = rows.traces(body, content_type)
        except BadBodyError as error:
            raise ValueError(refusal(path, where, content_type, error)) from error
        if batch.rows:
            store.add(batch).result()
        count += len(batch.rows)
        seen(count)
    return count


def exports(path: Path, note: Note = lambda _: None) -> Iterator[tuple[str, bytes, str]]:
    """(where in the file, body, content type) of each export in it; `note` is told of what is left out."""
    try:
        with _opened(path) as file:
            yield from _exports(path, file, note)
    except EOFError as error:
        cure = f"to read what is there: gzip -dc {path} | runspan tree -"
        raise ValueError(f"{path} ends in the middle of its gzip data; copy it again, or, {cure}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is a broken gzip file: {error}") from error


def refusal(path: Path, where: str, content_type: str, error: BadBodyError) -> str:
    """What is wrong with it, for somebody who named the wrong file."""
    if content_type == PROTOBUF:
        with path.open("rb") as file:
            if file.read(len(SQLITE)) == SQLITE:
                return f"{path} is a database; a store of the viewer is opened with --db, or by `runspan tree {path}`"
        return f"{path} is no file of traces: neither OTLP JSON nor OTLP protobuf"
    own = error.__cause__ if type(error.__cause__) is ValueError else None  # ours, in plain words
    return f"{path}{where} is not OTLP JSON" + (f": {own}" if own is not None else "")


# ---------------------------------------------------------------- pieces


def _opened(path: Path) -> BinaryIO:
    """The file unpacked, without its byte order mark, and in UTF-8 where it is text."""
    with path.open("rb") as plain:
        is_packed = plain.read(len(GZIP)) == GZIP
    file = cast(BinaryIO, gzip.open(path)) if is_packed else path.open("rb")  # noqa: SIM115 - the caller closes it
    try:
        mark = file.read(3)
        if mark[:2] in UTF_16:
            with file:
                return BytesIO((mark + file.read()).decode("utf-16", "replace").encode())
        if mark != codecs.BOM_UTF8:
            file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _exports(path: Path, file: BinaryIO, note: Note) -> Iterator[tuple[str, bytes, str]]:
    begin = file.tell()
    first = file.readline(MAX_LINE)
    file.seek(begin)
    if first.lstrip()[:1] not in (b"{", b"["):
        yield "", file.read(), PROTOBUF
    elif first.lstrip()[:1] == b"{" and (_is_json(first) or not first.endswith(b"\n")):
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
            if not line.endswith(b"\n") and not _is_json(line):  # its writer was ended, or is still at it
                note(f"{path}, line {number} is half-written and was left out.")
            elif line.strip():
                yield f", line {number}", line, JSON
    else:
        yield from _values(path, file.read())


def _values(path: Path, whole: bytes) -> Iterator[tuple[str, bytes, str]]:
    """One JSON value over many lines, or a list of exports."""
    try:
        data = json.loads(whole)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no file of traces: neither JSON nor JSON lines ({error})") from error
    for item in data if isinstance(data, list) else [data]:
        yield "", json.dumps(item).encode(), JSON


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
