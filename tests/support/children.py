"""Real child processes, for what only a process can show: exit, fork, imports, global providers.

Warnings are errors in them too. Their stderr is where Python prints `runspan`'s log lines from WARNING up, so an empty one means:
no traceback, no complaint, nothing swallowed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runspan.fake import Server
from tests.support.receiver import Receiver

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0  # no test waits so long; a child that hangs is killed then
# The official client marks the whole Assistants surface as deprecated; that is the surface we trace.
STRICT = (
    "-W",
    "error",
    *(f"-Wignore:{said}:DeprecationWarning" for said in ("The Assistants API", "deprecated")),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that has ended."""

    code: int
    out: str
    err: str
    at_s: float  # on the clock of `time.monotonic()`, which all processes share

    def check(self) -> str:
        """Its output, after it ended well and silently."""
        assert (self.code, self.err) == (0, ""), f"exit code {self.code}\n{self.out}\n{self.err}"
        return self.out

    def exit_seconds(self) -> float:
        """How long it took from its last line, `print(time.monotonic())`, to its end."""
        return self.at_s - float(self.out.split()[-1])


def environment(
    server: Server | None = None, to: Receiver | str | None = None, **more: str
) -> dict[str, str]:
    """The child's: ours, with the fake server in `APP_SERVER` and spans going `to` a receiver or an address."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OTEL_METRICS_EXPORTER": "none", **more}
    if server is not None:
        env["APP_SERVER"] = server.base_url
    if to is not None:
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = to if isinstance(to, str) else to.endpoint
    return env


def start_program(
    arguments: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    strict: bool = True,
    own_group: bool = False,
) -> subprocess.Popen[str]:
    """`python ARGUMENTS...` on its way. Not strict: with packages whose own warnings are not our business.

    `own_group`: it and its children are a group of processes, as a shell makes one of each command.
    """
    return subprocess.Popen(
        [sys.executable, *(STRICT if strict else ()), *arguments],
        cwd=ROOT,
        env=dict(env if env is not None else environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
    )


def start(script: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """`python -c SCRIPT` on its way."""
    return start_program(["-c", textwrap.dedent(script)], env)


def finish(child: subprocess.Popen[str], timeout_s: float = PATIENCE_S) -> Ended:
    """Wait for its end. A child that hangs is killed, and fails the test with what it said so far."""
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"the child hangs\n{out}\n{err}") from None
    return Ended(child.returncode, out, err, time.monotonic())


def run(script: str, env: Mapping[str, str] | None = None, *, strict: bool = True) -> Ended:
    """`python -c SCRIPT`, to its end."""
    return finish(start_program(["-c", textwrap.dedent(script)], env, strict=strict))


def run_program(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> Ended:
    """`python ARGUMENTS...`, to its end."""
    return finish(start_program(arguments, env))


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def nobody() -> Iterator[str]:
    """An address that refuses connections: the port is ours, but not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
