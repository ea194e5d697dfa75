"""More than one program at one store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runspan.viewer.store import RunFilter, Store, rows

from ..runs import a_run
from ..wire import PROTOBUF, export

OPEN = """
import sys, time
from pathlib import Path
from runspan.viewer.store import Store
print("here", flush=True)
sys.stdin.readline()
with Store(Path(sys.argv[1])) as store:
    print(store.count_spans(), flush=True)
"""


def test_viewers_that_begin_on_one_new_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    pipe = subprocess.PIPE
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in starting]
    assert ended == [("0\n", "")] * 4


def test_two_stores_write_to_one_file_and_one_closes_beside_the_other(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    with Store(path) as first:
        with Store(path) as second:
            for n in range(1, 21):
                store = first if n % 2 else second
                store.add(rows.traces(export(*a_run(n)), PROTOBUF)).result(20)
        first.add(rows.traces(export(*a_run(21)), PROTOBUF)).result(20)
        assert first.count_runs(RunFilter()) == 21
        assert first.select("PRAGMA quick_check") == [("ok",)]
