"""The command as users start it, in a process of its own, with a store and a home of the test's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from runspan.fake import Server, serve
from tests.importing.archives import A, thread
from tests.importing.exporting import write_layout
from tests.support import receiver as receivers
from tests.support.children import PATIENCE_S, environment
from tests.support.receiver import Receiver

DAY_S = 86_400


@dataclass(frozen=True)
class Command:
    """`command("tree", "file")` runs it to its end; `started(...)` while a block runs."""

    home: Path

    def env(self, **more: str) -> dict[str, str]:
        """With home, data folder and width of the test's."""
        home = str(self.home)
        more = {"COLUMNS": "100", "PYTHONWARNINGS": "ignore::DeprecationWarning", **more}
        return environment(None, None, HOME=home, XDG_DATA_HOME=home, **more)

    def __call__(
        self, *arguments: str | Path, stdin: str = "", cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runspan", *map(str, arguments)],
            env=self.env(**env),
            cwd=cwd or self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    @contextmanager
    def started(self, *arguments: str | Path, **env: str) -> Iterator[subprocess.Popen[str]]:
        child = subprocess.Popen(
            [sys.executable, "-m", "runspan", *map(str, arguments)],
            env={**self.env(**env), "PYTHONUNBUFFERED": "1"},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
            child.communicate()

    @property
    def db(self) -> Path:
        """The store in the data folder."""
        return self.home / "runspan" / "traces.db"


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip("\n")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("text") as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.serve() as receiver:
        yield receiver


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two threads, ten days apart."""
    return write_layout(tmp_path / "export", [thread("thread_1", 2), thread("thread_2", 1, A + 10 * DAY_S)])


def spans_of(path: Path) -> list[dict[str, Any]]:
    """Of a file of traces."""
    lines = path.read_text("utf-8").splitlines()
    exports = [of for line in lines for of in json.loads(line)["resourceSpans"]]
    return [span for of in exports for scope in of["scopeSpans"] for span in scope["spans"]]
