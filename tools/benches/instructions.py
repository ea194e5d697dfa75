"""Instructions of the whole process, with runspan : without, counted by valgrind: the same whatever else the machine does.

The same ways as in `processor`. Two counts of acts are taken from each other, so what is done once does not count.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext

import openai

import runspan
from benches.processor import THREADS, WAYS, asked, exporting
from processes import environment
from table import Row

COUNTED = re.compile(r"Collected : (\d+)")
TOOL = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")


def rows() -> Iterator[Row]:
    if shutil.which(TOOL[0]) is None:
        print("SKIPPED: valgrind is not installed", file=sys.stderr)
        return
    for name, way in WAYS.items():
        with asked(way) as (_, base_url, assistant_id):
            bare, traced = (_per_act(name, base_url, assistant_id, how) for how in ("bare", "traced"))
        note = f"{traced / 1e6:,.2f} million of {bare / 1e6:,.2f}"
        yield Row(f"instructions of {way.what}, with : without", traced / bare, "", way.budget, note=note)


def _per_act(name: str, base_url: str, assistant_id: str, how: str) -> float:
    few, many = (_counted(name, base_url, assistant_id, how, times) for times in _times(name))
    return (many - few) / (_times(name)[1] - _times(name)[0])


def _times(name: str) -> tuple[int, int]:
    return WAYS[name].times // 4, WAYS[name].times


def _counted(name: str, base_url: str, assistant_id: str, how: str, times: int) -> int:
    child = (
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benches.instructions",
        name,
        base_url,
        assistant_id,
        how,
        str(times),
    )
    done = subprocess.run(
        [*TOOL, *child], capture_output=True, text=True, env=environment() | {"PYTHONHASHSEED": "0"}
    )
    found = COUNTED.search(done.stderr)
    if found is None:
        raise RuntimeError(done.stderr[-2_000:])
    return int(found[1])


def _act(name: str, base_url: str, assistant_id: str, how: str, times: str) -> None:
    with (
        openai.OpenAI(api_key="none", base_url=base_url, max_retries=0) as client,
        exporting() if how == "traced" else nullcontext(),
    ):
        WAYS[name].act(client, assistant_id, THREADS)
        WAYS[name].act(client, assistant_id, int(times))
        if how == "traced":
            runspan.flush()


if __name__ == "__main__":
    _act(*sys.argv[1:])
