"""Where `tree`, `stats` and `replay` read: a file, or the viewer's store. Either way a `Store` comes out."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ..viewer import Bounds, NotOurFileError, Store, default_db, load
from ..viewer.store.files import SQLITE
from ..viewer.text import neutral
from .output import Problem
from .progress import progress

TRACE_ID = re.compile(r"[0-9a-fA-F]{4,32}")
RUN_ID = re.compile(r"run_\w{1,100}")
UNBOUNDED = Bounds(file_bytes=2**50)  # of a file that was asked for, nothing goes


@dataclass(frozen=True, slots=True)
class Source:
    """`trace`: the id of the one that was asked for; None: all that are there. `name`: what is read, for the user."""

    store: Store
    name: str
    trace: str | None = None


@contextmanager
def opened(name: str | None, db: Path | None) -> Iterator[Source]:
    """`name`: a file of traces (`-`: standard input), a store's file, a trace id or its beginning, a run id; None: the whole store.

    Raises Problem.
    """
    try:
        with ExitStack() as stack:
            yield _open(name, db, stack)
    except NotOurFileError as error:
        raise Problem(str(error)) from None
    except sqlite3.DatabaseError as error:
        raise Problem(f"{db or name or default_db()} can't be read as a store: {error}") from None


def _open(name: str | None, db: Path | None, stack: ExitStack) -> Source:
    is_file = name is not None and (name == "-" or Path(name).exists())
    if name is not None and not is_file and not (TRACE_ID.fullmatch(name) or RUN_ID.fullmatch(name)):
        raise Problem(
            f"{name}: there is no such file, and it is no trace id (4 to 32 hex digits) or run id (run_...)"
        )
    if name is None or not is_file:
        path = default_db() if db is None else db
        store = stack.enter_context(_kept(path))
        return Source(store, str(path), None if name is None else _trace(store, name))
    if db is not None:
        raise Problem(f"--db is for trace ids, and {name} is a file: leave --db out")
    path = Path(name)
    if name != "-" and path.is_file() and _begins_with(path, SQLITE):
        return Source(stack.enter_context(_kept(path)), name)
    if path.is_dir():
        raise Problem(f"{name} is a folder: name a file of traces in it")
    return Source(stack.enter_context(_loaded(path)), "standard input" if name == "-" else name)


def _begins_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise Problem(f"{path} can't be read: {error.strerror}") from None


def _kept(path: Path) -> Store:
    if not path.exists():
        raise Problem(
            f"there are no traces yet: {path} is not there. Start `runspan ui`, and your app; or name a file of traces."
        )
    return Store(path, is_read_only=True)


@contextmanager
def _loaded(path: Path) -> Iterator[Store]:
    """A file's traces in a store for as long as they are looked at."""
    with TemporaryDirectory(prefix="runspan-") as folder:
        if str(path) == "-":
            path = Path(folder) / "standard input"
            path.write_bytes(sys.stdin.buffer.read())
        with Store(Path(folder) / "traces.db", UNBOUNDED) as store:
            try:
                with progress(f"reading {path}", "spans") as seen:
                    load(store, path, lambda said: click.echo(neutral(said), err=True), seen)
            except (ValueError, NotOurFileError) as error:
                raise Problem(str(error)) from None
            except OSError as error:
                raise Problem(f"{path} can't be read: {error.strerror}") from None
            yield store


def _trace(store: Store, name: str) -> str:
    """The one trace that is meant."""
    if RUN_ID.fullmatch(name):
        found = store.select("SELECT DISTINCT lower(hex(trace)) FROM runs WHERE run_id = ? LIMIT 2", (name,))
    else:
        found = store.select(
            "SELECT lower(hex(trace)) FROM traces WHERE hex(trace) LIKE ? LIMIT 2", (f"{name}%",)
        )
    if not found:
        raise Problem(f"{name} is not in {store.path}", 1)
    if len(found) > 1:
        raise Problem(
            f"{name} begins more than one trace, such as {found[0][0]} and {found[1][0]}: write more of it"
        )
    return str(found[0][0])
