"""The files of an archive: folders walked in order, standard input, gzip and UTF-16 unpacked. Each is known by content alone."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from msgspec import Struct

from .documents import Fault, Value, reason, values

GZIP = b"\x1f\x8b"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_READ_ERRORS = (OSError, EOFError, zlib.error, UnicodeError)


class Source(Struct, frozen=True):
    """One file. `name`: as the user knows it."""

    path: str
    name: str
    size: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> Source:
        told = path.stat()
        return cls(str(path.absolute()), name or str(path), told.st_size, told.st_mtime_ns)


def sources(paths: Iterable[Path]) -> Iterator[Source]:
    """Files as they are, folders with all below them but hidden files. A file comes once. Raises OSError."""
    seen: set[str] = set()
    for path in paths:
        for file in _walked(path) if path.is_dir() else (path,):
            source = Source.of(file)
            if os.path.realpath(source.path) not in seen:
                seen.add(os.path.realpath(source.path))
                yield source


def _walked(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield path


def read(source: Source) -> Iterator[Value | Fault]:
    """All that is in it. Raises nothing for what can't be read."""
    try:
        with opened(source.path) as file:
            yield from values(file)
    except UnicodeDecodeError as error:
        yield Fault(0, reason(error))
    except _READ_ERRORS as error:
        is_packed = isinstance(error, EOFError | zlib.error | gzip.BadGzipFile)
        yield Fault(0, "broken gzip data" if is_packed else getattr(error, "strerror", None) or str(error))


@contextmanager
def opened(path: str) -> Iterator[TextIO]:
    """Its text."""
    with open(path, "rb") as plain:
        mark = plain.read(3)
    packed = mark[:2] == GZIP
    with cast(BinaryIO, gzip.open(path)) if packed else open(path, "rb") as file:
        mark = file.read(3)
        file.seek(0)
        with io.TextIOWrapper(file, "utf-16" if mark[:2] in UTF_16 else "utf-8-sig", newline="\n") as text:
            yield text
