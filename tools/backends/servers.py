"""Start a program, wait until it answers, talk JSON with it, end it by its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 300.0  # cold, and on a busy machine


class NotStartedError(Exception):
    """The program ended, or did not answer in time. The message has the end of its log."""


@contextmanager
def running(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    ready: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, from its answer at the URL `ready` to its end. Its output goes to `log`.

    It leads a process group of its own: servers of several processes end as a whole.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(a) for a in arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        if ready is not None:
            wait_ready(process, ready, log)
        yield process
    finally:
        end(process)


def wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotStartedError(f"{process.args!s:.200}: no answer at {url}\n{tail(log)}")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes], with_signal: int = signal.SIGTERM) -> None:
    """Ask it to end; after 15 s, make it."""
    for number in (with_signal, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                continue


def tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2_000:] if log.exists() else ""


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status < 400)
    except (urllib.error.URLError, OSError):
        return False


def ask(url: str, body: Any = None, **headers: str) -> Any:
    """The JSON answer to a GET, or to a POST of `body`."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def until(find: Callable[[], T], is_enough: Callable[[T], bool], timeout_s: float = 30.0) -> T:
    """What `find` gives once it is enough, or its last answer: backends take what they got a moment later."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = find()
        except (urllib.error.URLError, OSError, KeyError):
            if time.monotonic() > deadline:
                raise
        else:
            if is_enough(found) or time.monotonic() > deadline:
                return found
        time.sleep(0.25)
