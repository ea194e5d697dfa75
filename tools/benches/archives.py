"""`runspan import` of 100,000 runs into a file: how much memory, how many runs a second. `RUNSPAN_BENCH_RUNS` takes fewer.

Ten runs a thread, each with a function step, a question and an answer; the objects are lines of one file.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from processes import ROOT, environment
from table import Row

RUNS = int(os.environ.get("RUNSPAN_BENCH_RUNS", "100000"))
RUNS_OF_THREAD = 10
WORDS = 60  # beside those of each message
BEGAN = 1_700_000_000


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="runspan-bench-") as folder:
        archive, traces = Path(folder, "archive.jsonl"), Path(folder, "traces.jsonl")
        _write(archive)
        command = [sys.executable, "-m", "runspan.cli", "import", archive, "--to", traces, "--json"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command, env={**environment(), "XDG_DATA_HOME": folder}, check=True, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads(done.stdout)
    if (report["runs"], report["left_out"]) != (RUNS, 0):
        raise SystemExit(
            f"{report['runs']:,} of {RUNS:,} runs were imported, {report['left_out']:,} left out"
        )
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    note = f"{RUNS:,} runs, {report['spans']:,} spans, into a file"
    yield Row("memory of an import", after.ru_maxrss / 1024, "MB", 300, note=note)
    yield Row("runs imported in a second of processor time", RUNS / cpu_s, "runs", note=note)


def _write(path: Path) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.importing.archives import assistant, objects, thread

    with path.open("w") as file:
        file.write(json.dumps(assistant()) + "\n")
        for number in range(RUNS // RUNS_OF_THREAD):
            export = thread(f"thread_{number:06d}", RUNS_OF_THREAD, BEGAN + number)
            for message in export["messages"]:
                message["content"][0]["text"]["value"] += " word" * WORDS
            file.writelines(json.dumps(one) + "\n" for one in objects(export))
