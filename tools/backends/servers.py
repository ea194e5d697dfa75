"""Start a program, wait until it answers, talk JSON with it, end it by its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 300.0  # cold, and on a busy machine


@contextmanager
def running(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    ready: str,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, from its answer at the URL `ready` to its end. Its output goes to `log`.

    It leads a process group of its own: servers of several processes end as a whole.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    how: Any = {
        "stderr": subprocess.STDOUT,
        "stdin": subprocess.DEVNULL,
        "start_new_session": True,
        "cwd": cwd,
    }
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(map(str, arguments)), stdout=out, env={**os.environ, **(env or {})}, **how
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text("utf-8", "replace")[-2_000:]
                raise TimeoutError(f"{process.args!s:.200}: no answer at {ready}\n{said}")
            time.sleep(0.1)
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(15)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status < 400)
    except OSError:
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
        except (OSError, KeyError):
            if time.monotonic() > deadline:
                raise
        else:
            if is_enough(found) or time.monotonic() > deadline:
                return found
        time.sleep(0.25)
