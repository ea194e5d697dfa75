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
    killed: frozenset[str] = frozenset()  # pids of processes that the server itself ended by SIGKILL

    @property
    def run_ids(self) -> list[str]:
        return sorted(answer.split()[1] for answer in self.answers)

    @property
    def may_lack(self) -> set[str]:
        """Runs that only a process knew which was killed."""
        return {run_id for pid, run_id, _ in map(str.split, self.answers) if pid in self.killed}


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
        said, complained = child.communicate(timeout=PATIENCE_S)
        seconds = time.monotonic() - began_s
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)  # with the processes that it started
            child.communicate()
    log = sorted(re.sub(r"\d+", "0", line) for line in said.splitlines())
    pids = {answer.split()[0] for answer in answers} if seconds >= server.kills_after_s else set()
    killed = {pid for pid in pids if server.leaves.format(pid=pid) not in complained}
    return Ended(answers, child.returncode, seconds, log, frozenset(killed))


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
