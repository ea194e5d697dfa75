"""One life of a server: started, asked ten times, ended right after the last answer, waited for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
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


def terminate(child: subprocess.Popen[str]) -> None:
    """What a process manager sends."""
    child.send_signal(signal.SIGTERM)


def press_ctrl_c(child: subprocess.Popen[str]) -> None:
    """What a terminal sends, to each process of the group. The supervisor of a server then ends its workers once more."""
    os.killpg(child.pid, signal.SIGINT)


def play(server: Server, env: Mapping[str, str], end: Callable[[subprocess.Popen[str]], None]) -> Ended:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    child = start_program(server.argv(port), env, strict=False, own_group=True)
    try:
        _wait_until_ready(f"{url}/ready", child)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(_get, [f"{url}{server.path}"] * REQUESTS))
        began_s = time.monotonic()
        end(child)
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
