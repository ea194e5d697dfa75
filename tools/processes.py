"""Child processes of the tools: their first line says where they listen; and what a process holds in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent


def environment(**env: str) -> dict[str, str]:
    """For a child that imports modules of tools/ and of tests/."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(TOOLS), str(ROOT))), **env}


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python ARGUMENTS...` and the first line that it prints, until the end of the block, or of this process: its input ends."""
    command, pipe = [sys.executable, "-W", "ignore", *arguments], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def fake(scenario: str = "default") -> Iterator[str]:
    """The base URL of the fake server."""
    with serving("-m", "runspan.fake", "--scenario", scenario) as (_, base_url):
        yield base_url


def memory_mb(pid: int | str = "self", field: str = "RssAnon") -> float:
    """VmRSS also counts pages of mapped files, which can be given back at any time."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
