"""What a person types, on a machine where the usual ports are free: `runspan ui`, then `opentelemetry-instrument python app.py`.

    python -m tests.support.zero_code FOLDER [viewer]

Prints one JSON object: how the app ended and what it said, and the traces that the viewer kept.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from runspan.fake import serve

SCRIPT = Path(__file__).with_name("tutor_script.py")
LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")
RUNSPAN = (sys.executable, "-m", "runspan.cli")
BUSY = 75  # the exit code where the usual ports are taken


def main(folder: Path, wants_viewer: bool) -> int:
    for port in (4317, 4318):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return BUSY
    db = folder / "traces.db"
    with viewer(db) if wants_viewer else nullcontext(), serve("text") as server:
        ended = subprocess.run(
            [LAUNCHER, sys.executable, SCRIPT],
            env=persons_environment(folder, APP_SERVER=server.base_url),
            capture_output=True,
            text=True,
        )
    told: dict[str, Any] = {"code": ended.returncode, "out": ended.stdout, "err": ended.stderr, "traces": []}
    if wants_viewer:
        drawn = subprocess.run(
            [*RUNSPAN, "tree", "--db", db, "--json"], check=True, capture_output=True, text=True
        )
        told["traces"] = [json.loads(line) for line in drawn.stdout.splitlines()]
    print(json.dumps(told))
    return 0


def persons_environment(folder: Path, **app: str) -> dict[str, str]:
    """Nothing of OpenTelemetry's or ours, and nothing that a person would not have; `app`: what the app itself needs."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(folder), **app}


@contextmanager
def viewer(db: Path) -> Iterator[None]:
    started = subprocess.Popen(
        [*RUNSPAN, "ui", "--db", db],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline().startswith("The viewer is open: http://127.0.0.1:4318")
        yield
    finally:
        started.send_signal(signal.SIGINT)
        started.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "viewer" in sys.argv[2:]))
