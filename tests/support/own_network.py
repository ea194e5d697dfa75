"""A program on a network of its own, where the usual ports are free: nothing of the machine's is reached, and no other test.

    own_network(["python", "-m", "tests.support.zero_code", ...], ...)

Where the system gives no such network, the machine's ports are used, one program at a time; the program skips where they are taken.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .children import PATIENCE_S, ROOT

UP = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
os.execv(sys.argv[1], sys.argv[1:])
"""


@cache
def unshare() -> tuple[str, ...]:
    """What to write before a command; nothing where it does not work."""
    program = shutil.which("unshare")
    way = (program or "", "--map-root-user", "--net", sys.executable, "-c", UP)
    if program is None or subprocess.run([*way, sys.executable, "-c", ""], capture_output=True).returncode:
        return ()
    return way


def own_network(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS...`, to its end."""
    command = [*unshare(), sys.executable, *arguments]
    with (Path(tempfile.gettempdir()) / "runspan-usual-ports.lock").open("w") as lock:
        if not unshare():
            fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
