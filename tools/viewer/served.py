"""A viewer in a process of its own: `python -m viewer.served DB [REQUEST_BYTES DECODED_BYTES]` prints its two ports and serves."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import memory_mb, serving


class Served:
    """One connection to it, and its process."""

    def __init__(self, process: subprocess.Popen[str], ports: str) -> None:
        self.process = process
        self.port, self.grpc_port = map(int, ports.split())
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        self.connection.request(method, path, body or None, headers)
        return self.connection.getresponse()

    def get(self, path: str) -> bytes:
        answer = self.ask("GET", path)
        body = answer.read()
        assert answer.status == 200, (path, answer.status)
        return body

    def memory_mb(self, field: str = "RssAnon") -> float:
        return memory_mb(self.process.pid, field)


@contextmanager
def served(db: Path, *limits: int) -> Iterator[Served]:
    with serving("-m", "viewer.served", str(db), *map(str, limits)) as (process, ports):
        viewer = Served(process, ports)
        yield viewer
        viewer.connection.close()


def _serve(db: str, *limits: str) -> None:
    from runspan.viewer import Limits, serve

    bounds = Limits(**dict(zip(("request_bytes", "decoded_bytes"), map(int, limits), strict=False)))
    with serve(port=0, db=db, limits=bounds, grpc_port=0) as viewer:
        print(viewer.port, viewer.grpc_endpoint.rpartition(":")[2], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
