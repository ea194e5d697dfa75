"""What a person types, on a machine where the usual ports are free: `runspan ui`, then `opentelemetry-instrument python app.py`.

    python -m tests.support.zero_code FOLDER [viewer|traces_only]

Prints one JSON object: how the app ended and what it said, and the spans that arrived.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runspan.fake import serve

from .collector import serve_grpc

SCRIPT = Path(__file__).with_name("tutor_script.py")
LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")
RUNSPAN = (sys.executable, "-m", "runspan.cli")
BUSY = 75  # the exit code where the usual ports are taken


def main(folder: Path, receiver: str) -> int:
    for port in (4317, 4318):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return BUSY
    spans: list[Any] = []
    with RECEIVERS[receiver](folder / "traces.db", spans), serve("text") as server:
        ended = subprocess.run(
            [LAUNCHER, sys.executable, SCRIPT],
            env=persons_environment(folder, APP_SERVER=server.base_url),
            capture_output=True,
            text=True,
        )
    print(json.dumps({"code": ended.returncode, "out": ended.stdout, "err": ended.stderr, "spans": spans}))
    return 0


def persons_environment(folder: Path, **app: str) -> dict[str, str]:
    """Nothing of OpenTelemetry's or ours, and nothing that a person would not have; `app`: what the app itself needs."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(folder), **app}


@contextmanager
def viewer(db: Path, spans: list[Any]) -> Iterator[None]:
    """`runspan ui`; what it kept is read by `runspan tree`."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    started = subprocess.Popen([*RUNSPAN, "ui", "--db", db], stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert started.stdout is not None
        assert started.stdout.readline().startswith("The viewer is open: http://127.0.0.1:4318")
        yield
    finally:
        started.send_signal(signal.SIGINT)
        started.wait()
    drawn = subprocess.check_output([*RUNSPAN, "tree", "--db", db, "--json"], text=True)
    spans += [span for line in drawn.splitlines() for span in json.loads(line)["spans"]]


@contextmanager
def traces_only(_: Path, spans: list[Any]) -> Iterator[None]:
    """A gRPC server that knows no metrics and no logs, as Jaeger."""
    with serve_grpc(port=4317, takes_metrics=False) as got:
        yield
    spans += got.names


@contextmanager
def nobody(_: Path, spans: list[Any]) -> Iterator[None]:
    yield


RECEIVERS = {"viewer": viewer, "traces_only": traces_only, "nobody": nobody}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
