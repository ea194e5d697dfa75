"""Programs of others that serve an app of ours: started on a free port, asked to leave, waited for."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.children import PATIENCE_S


@contextmanager
def background(folder: Path, env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    """A worker or server, asked to leave at the end, and waited for."""
    with (folder / "log").open("w") as log:
        child = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, text=True)
        try:
            yield child
            child.send_signal(signal.SIGTERM)
            child.wait(PATIENCE_S)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    assert "Traceback" not in (folder / "log").read_text(), (folder / "log").read_text()


def wait_for(what: Callable[[], object], folder: Path) -> None:
    """Until `what()`; no test is decided by how long that takes."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline_s, (folder / "log").read_text()
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    child = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        child.terminate()
        child.wait()
