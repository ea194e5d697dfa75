"""The files of an archive: folders walked in order, gzip and UTF-16 unpacked. Each is known by content alone."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from msgspec import Struct

from .documents import NOT_UTF_8, Fault, Value, values
from .recognise import may_cut

STDIN, STDIN_NAME = "-", "standard input"
GZIP = b"\x1f\x8b"
# What else archives come as -> how to open them. `import` reads files, not members.
OTHERS = {
    b"PK\x03\x04": "a zip archive: unpack it, and import the folder",
    b"BZh": "compressed by bzip2: unpack it first",
    b"\xfd7zXZ": "compressed by xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it first",
    b"SQLite format 3": "a database",
}
TAR_AT, TAR = 257, b"ustar"
LOOK_BYTES = 512
_READ_ERRORS = (OSError, EOFError, zlib.error, UnicodeError)


class Source(Struct, frozen=True):
    """One file. `name`: as the user knows it. `unread`: why it can't be read, where that is known before."""

    path: str
    name: str
    size: int = 0
    changed_ns: int = 0
    unread: str | None = None

    @classmethod
    def of(cls, path: Path, name: str) -> Source:
        told = path.stat()
        return cls(str(path.absolute()), name, told.st_size, told.st_mtime_ns)


class Pipes:
    """Standard input (`-`) and pipes can be read once, and archives are read twice: from copies in a folder of their own."""

    def __init__(self, folder: Callable[[], str]) -> None:
        self._folder = folder

    @staticmethod
    def is_one(path: Path) -> bool:
        return str(path) == STDIN or path.is_fifo()

    def copied(self, path: Path) -> Source:
        """Raises OSError."""
        copy = Path(self._folder(), "copy")
        try:
            with ExitStack() as opened, copy.open("wb") as file:
                shutil.copyfileobj(
                    opened.enter_context(path.open("rb")) if str(path) != STDIN else _standard_input(), file
                )
        except OSError as error:
            raise OSError(error.errno, error.strerror, error.filename or str(copy)) from None
        return Source.of(copy, STDIN_NAME if str(path) == STDIN else str(path))


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed", STDIN_NAME)
    return sys.stdin.buffer


def sources(paths: Iterable[Path], but: frozenset[str], pipes: Pipes) -> Iterator[Source]:
    """Files as they are, folders with all below them but hidden files. A file comes once. Raises OSError.

    `but`: real paths of files that do not belong to it.
    """
    seen = set(but)
    for path in dict.fromkeys(paths):
        found: Iterable[Source]
        if pipes.is_one(path):
            found = (pipes.copied(path),)
        else:
            found = _walked(str(path)) if path.is_dir() else (Source.of(path, str(path)),)
        for source in found:
            real = os.path.realpath(source.path)
            if real not in seen:
                seen.add(real)
                yield source


def _walked(folder: str) -> Iterator[Source]:
    """Links are followed, and each folder is walked once, so that a link to one above ends."""
    closed: list[OSError] = []
    seen = {os.path.realpath(folder)}
    for root, folders, files in os.walk(folder, onerror=closed.append, followlinks=True):
        folders[:] = [one for one in sorted(folders) if not one.startswith(".") and _is_new(root, one, seen)]
        for name in sorted(files):
            path = Path(root, name)
            if not name.startswith("."):
                try:
                    if stat.S_ISREG(path.stat().st_mode):
                        yield Source.of(path, str(path))
                except OSError as error:
                    closed.append(error)
    for why in closed:
        name = str(why.filename)
        yield Source(os.path.abspath(name), name, unread=why.strerror)


def _is_new(root: str, folder: str, seen: set[str]) -> bool:
    real = os.path.realpath(os.path.join(root, folder))
    is_new = real not in seen
    seen.add(real)
    return is_new


def read(source: Source) -> Iterator[Value | Fault]:
    """All that is in it. Raises nothing for what can't be read."""
    if source.unread is not None:
        yield Fault(0, source.unread)
        return
    try:
        with opened(source.path) as file:
            yield from (Fault(0, file),) if isinstance(file, str) else values(file, may_cut)
    except UnicodeError:
        yield Fault(0, NOT_UTF_8)
    except _READ_ERRORS as error:
        is_packed = isinstance(error, EOFError | zlib.error | gzip.BadGzipFile)
        yield Fault(0, "broken gzip data" if is_packed else getattr(error, "strerror", None) or str(error))


@contextmanager
def opened(path: str) -> Iterator[TextIO | str]:
    """Its text; or why it is none."""
    with open(path, "rb") as plain:
        is_packed = plain.read(len(GZIP)) == GZIP
    with cast(BinaryIO, gzip.open(path)) if is_packed else open(path, "rb") as file:
        head = file.read(LOOK_BYTES)
        other = next((why for mark, why in OTHERS.items() if head.startswith(mark)), None)
        if head[TAR_AT:].startswith(TAR):
            other = "a tar archive: unpack it, and import the folder"
        if other is not None:
            yield other
            return
        file.seek(0)
        encoding = json.detect_encoding(head)
        errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
        with io.TextIOWrapper(file, encoding, errors, newline="\n") as text:
            yield text
