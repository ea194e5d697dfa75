"""One life of a server: started, asked ten times, ended right after the last answer, waited for."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.endings.servers import Server
from tests.support.children import PATIENCE_S, start_program
from tests.support.serving import free_port

REQUESTS = 10


@dataclass(frozen=True, slots=True)
class Ended:
    answers: list[str]  # "PID RUN_ID STATUS" each
    code: int  # the exit status; below zero: the signal that ended the process
    seconds: float  # from the signal to the end
    log: list[str]  # lines, sorted, their digits taken out

    @property
    def run_ids(self) -> list[str]:
        return sorted(answer.split()[1] for answer in self.answers)


def play(server: Server, env: Mapping[str, str], end: signal.Signals = signal.SIGTERM) -> Ended:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    child = start_program(server.argv(port), env, strict=False)
    try:
        _wait_until_ready(f"{url}/ready", child)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(_get, [f"{url}{server.path}"] * REQUESTS))
        began_s = time.monotonic()
        child.send_signal(end)
        said, _ = child.communicate(timeout=PATIENCE_S)
        seconds = time.monotonic() - began_s
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    log = sorted(re.sub(r"\d+", "0", line) for line in said.splitlines())
    return Ended(answers, child.returncode, seconds, log)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
        text: str = response.read().decode()
    return text


def _wait_until_ready(url: str, child: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not _is_ready(url):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline_s, url
        time.sleep(0.05)


def _is_ready(url: str) -> bool:
    try:
        return _get(url) == "ready"
    except OSError:
        return False
