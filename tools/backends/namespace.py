"""A network namespace of one's own, where only loopback is: some servers listen on all interfaces, whatever they are told.

It takes root, or a kernel that lets users make namespaces.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from typing import Any

INSIDE = "RUNSPAN_BACKENDS_INSIDE"
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def again_inside(facts: Any = None) -> int:
    """Run this very command there; `entered` gives it the facts. Its exit status."""
    unshare = shutil.which("unshare")
    if unshare is None:
        print(
            "no `unshare` (Debian: util-linux), so no network namespace to start servers in", file=sys.stderr
        )
        return 1
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    command = [unshare, "--net", *as_root, sys.executable, *sys.argv]
    return subprocess.run(command, env={**os.environ, INSIDE: json.dumps(facts)}).returncode


def is_inside() -> bool:
    return INSIDE in os.environ


def entered() -> Any:
    """To be called first in there: loopback is down in a new namespace. What `again_inside` was given.

    SIGTERM (of `timeout`, of CI) ends the command as Ctrl-C does: its servers end with it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
    return json.loads(os.environ[INSIDE])
