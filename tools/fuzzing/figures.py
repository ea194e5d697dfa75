"""Runs the fuzzer and makes a table of what libFuzzer printed."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

PULSE = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/\S+.*?rss: (\d+)Mb")
FINAL = re.compile(r"stat::(\w+):\s+(\d+)")
LAST_LINES = 40


def run(command: list[str], folder: Path) -> int:
    """The exit code; the fuzzer's own words only where it found something."""
    began_s = time.monotonic()
    done = subprocess.run(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, check=False)
    (folder / "log.txt").write_text(done.stdout, encoding="utf-8")
    found = sorted((folder / "crashes").iterdir())
    for row in table(done.stdout, time.monotonic() - began_s, len(found)):
        print(row)
    if done.returncode or found:
        print("\n".join(done.stdout.splitlines()[-LAST_LINES:]))
        print(*found, sep="\n")
    return done.returncode or bool(found)


def table(said: str, seconds: float, crashes: int) -> Iterable[str]:
    pulses = [tuple(map(int, pulse)) for pulse in PULSE.findall(said)]
    final = {name: int(value) for name, value in FINAL.findall(said)}
    yield f"{'':32}{'at the seeds':>14}{'at the end':>14}"
    if pulses:
        inited = re.search(r"#\d+\s+INITED.*", said)
        first = PULSE.search(inited[0]) if inited else None
        start = tuple(map(int, first.groups())) if first else pulses[0]
        for name, n in (
            ("inputs tried", 0),
            ("branches reached", 1),
            ("features", 2),
            ("inputs kept", 3),
            ("memory, MB", 4),
        ):
            yield f"{name:32}{start[n]:>14,}{pulses[-1][n]:>14,}"
    yield f"{'inputs a second':46}{final.get('average_exec_per_sec', 0):>14,}"
    yield f"{'slowest input, s':46}{final.get('slowest_unit_time_sec', 0):>14,}"
    yield f"{'seconds':46}{seconds:>14,.0f}"
    yield f"{'faults found':46}{crashes:>14,}"
