"""`make mutate`: mutmut puts small faults into `core/` and `apis/` one by one, and their own tests must see them.

make mutate FILES=core/cost.py TESTS=tests/core/test_cost.py JOBS=1      some files, by some tests, in seconds
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from mutmut.__main__ import cli
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

from table import columns

ROOT = Path(__file__).resolve().parent.parent
MUTANTS = ROOT / "mutants"  # mutmut's own choice
LEAST_KILLED = 0.90
# A mutant that never ends was seen as well as one that fails; one that no test reaches was not.
COLUMN_OF_STATUS = {"segfault": "killed", "no tests": "survived"}
HEAD = ("file", "killed", "timeout", "survived", "killed %")


def main(jobs: str, files: str, tests: str) -> int:
    """Run mutmut anew in a child, print a row for each file and the change of each mutant that survived."""
    shutil.rmtree(MUTANTS, ignore_errors=True)  # it would keep what survived older tests
    began = time.monotonic()
    child = [sys.executable, __file__, "--child", jobs, files, tests]
    done = subprocess.run(child, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-5000:], done.stderr, sep="\n")
        return 1
    counts: dict[str, Counter[str]] = {}
    survived = []
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            if code is None:  # it was not tried
                continue
            status = COLUMN_OF_STATUS.get(status_by_exit_code[code], status_by_exit_code[code])
            counts.setdefault(str(path).removeprefix("src/runspan/"), Counter())[status] += 1
            if status == "survived":
                survived.append(get_diff_for_mutant(name, path=str(path)))
    counts["all"] = sum(counts.values(), Counter())
    print(columns(HEAD, *((name, *_cells(of)) for name, of in counts.items())))
    print(f"\n{time.monotonic() - began:.0f} s on {jobs} cores\n", *survived, sep="\n")
    return int(_share(counts["all"]) < LEAST_KILLED)


def _share(of: Counter[str]) -> float:
    return (of["killed"] + of["timeout"]) / max(of.total(), 1)


def _cells(of: Counter[str]) -> tuple[str, ...]:
    return (*(f"{of[column]:,}" for column in HEAD[1:-1]), f"{_share(of):.1%}")


def child(jobs: str, files: str, tests: str) -> None:
    """mutmut as pyproject.toml sets it up, or for some files and by some tests only, which it has no options for."""
    if files:
        config().only_mutate = [f"src/runspan/{each}" for each in files.split()]
    if tests:
        config().pytest_add_cli_args_test_selection = tests.split()
    cli(["run", "--max-children", jobs])


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        child(*sys.argv[2:])
    else:
        sys.exit(main(*sys.argv[1:]))
