"""`make soak` at a tiny size still fits the code it lets run, and would notice a leak. Nothing here is timed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
ACCOUNTS = ("runs not accounted for", "runs asked for and not seen", "run spans missing", "errors of our own")


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TOOLS)


@pytest.mark.wide
@pytest.mark.parametrize("part", ["simulated", "real"])
def test_every_run_of_a_small_soak_is_accounted_for(part: str) -> None:
    """Too short to say what is flat: caches are still filling."""
    command = [sys.executable, str(TOOLS / "bench.py"), part]
    env = {**os.environ, "RUNS": "60", "MINUTES": "0.05"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    rows = [line for line in done.stdout.splitlines() if line.startswith(ACCOUNTS)]
    assert len(rows) == len(ACCOUNTS), done.stdout + done.stderr
    assert [row for row in rows if " ok " not in f"{row} "] == []


def test_what_grows_by_more_than_its_bound_is_not_flat() -> None:
    from soaking.samples import HELD, Sample, flat

    start = Sample("", 0, 100.0, 4, 10, 100_000, 1.0, 2.0)
    held = [replace(start, runs=n) for n in range(9)]
    assert all(row.is_held for row in flat(held, HELD))
    leaks = {"anon_mb": 4.0, "threads": 1, "files": 2, "objects": 2_000}
    for name, each in leaks.items():
        grown = [replace(s, **{name: getattr(s, name) + each * s.runs}) for s in held]  # type: ignore[arg-type]
        missed = [row.what for row in flat(grown, HELD) if not row.is_held]
        assert len(missed) == 1, name
    only_at_first = [replace(s, anon_mb=60.0 if s.runs < 3 else 100.0) for s in held]
    assert all(row.is_held for row in flat(only_at_first, HELD))


def test_percentiles_are_of_the_calls_since_the_last_sample() -> None:
    from soaking.samples import Times

    times = Times()
    for value in range(100):
        times.add(value)
    assert times.take() == (50, 99)
    times.add(7)
    assert (times.take(), times.take()) == ((7, 7), (0, 0))
