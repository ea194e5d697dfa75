"""A viewer in a process of its own: `python -m viewer.served DB` prints its port and serves."""

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

    def __init__(self, process: subprocess.Popen[str], port: str) -> None:
        self.process = process
        self.connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=120)

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
def served(db: Path) -> Iterator[Served]:
    with serving("-m", "viewer.served", str(db)) as (process, port):
        viewer = Served(process, port)
        yield viewer
        viewer.connection.close()


def _serve(db: str) -> None:
    from runspan.viewer import serve

    with serve(port=0, db=db) as viewer:
        print(viewer.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
