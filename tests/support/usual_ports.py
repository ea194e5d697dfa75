"""`runspan ui` on the usual ports: when both are free, when another program has 4317, and without gRPC.

    python -m tests.support.usual_ports FOLDER

Prints one JSON object: for each, [endpoint, gRPC endpoint, what is on stderr].
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

BUSY = 75  # the exit code where the usual ports are taken


def opened(folder: str, *options: str) -> list[str | None]:
    command = [sys.executable, "-m", "runspan.cli", "ui", "--db", f"{folder}/t.db", "--json", *options]
    pipe = subprocess.PIPE
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env) as child:
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        _, err = child.communicate()
    return [told["endpoint"], told["grpc_endpoint"], err]


def main(folder: str) -> int:
    for port in (4317, 4318):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return BUSY
    told = {"alone": opened(folder)}
    with socket.create_server(("127.0.0.1", 4317)):
        told["taken"] = opened(folder)
        told["switched off"] = opened(folder, "--no-grpc")
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
