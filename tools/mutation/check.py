"""`make mutate`: small faults are put into `core/` and `apis/` one by one (mutmut), and their own tests must see them.

    make mutate                                                       all: a table, and 1 where less than 90 % are killed
    make mutate FILES=core/cost.py TESTS=tests/core/test_cost.py      some files, by some tests, in seconds
    make mutate JOBS=1                                                on one core

Survivors that `survivors.toml` gives a reason for are counted, not printed; they count as survivors all the same.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import tomllib
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

ROOT = Path(__file__).resolve().parent.parent.parent
TESTER = Path(__file__).parent / "tester.py"
WORKED_IN = ROOT / "mutants"  # mutmut's own choice
REASONS = Path(__file__).parent / "survivors.toml"
LEAST_KILLED = 0.90
# What the tester calls them. A mutant that never ends was seen as well as one that fails; one that no test reaches was not.
COLUMN_OF_STATUS = {
    "killed": "killed",
    "segfault": "killed",
    "timeout": "timeout",
    "survived": "survived",
    "no tests": "survived",
}
HEAD = ("file", "mutants", "killed", "timeout", "survived", "with reason", "killed %")


def main(jobs: str, files: str, tests: str) -> int:
    """Run the tester anew, draw the table, print the survivors that nobody gave a reason for."""
    shutil.rmtree(WORKED_IN, ignore_errors=True)  # it would keep what survived older tests
    began = time.monotonic()
    tester = [sys.executable, str(TESTER), jobs, files, tests]
    ran = subprocess.run(tester, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        print(ran.stdout[-5000:], ran.stderr, sep="\n")
        return 1
    reasons = _reasons()
    seen: Counter[tuple[str, str]] = Counter()
    survived: list[str] = []
    for path, name, status in _results():
        column = COLUMN_OF_STATUS[status]
        seen[path, column] += 1
        if column == "survived":
            change = _change(name, path)
            survived.append(change)
            seen[path, "with reason"] += change in reasons
    print(_table(seen))
    print(f"\n{time.monotonic() - began:.0f} s on {jobs} cores\n")
    print(*(f"survived: {each}" for each in survived if each not in reasons), sep="\n")
    if not (files or tests):
        print(*(f"{REASONS.name}, but killed: {each}" for each in reasons if each not in survived), sep="\n")
    total = _sums(seen)
    return int(total["killed"] + total["timeout"] < LEAST_KILLED * _mutants(total))


def _results() -> Iterator[tuple[str, str, str]]:
    """(file, mutant, status) of each that was tried."""
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            if code is not None:
                yield str(path), name, status_by_exit_code[code]


def _change(mutant: str, path: str) -> str:
    """`core.cost.find: a < b -> a <= b`: what it did, whatever number the tester gave it and wherever the line now stands."""
    module, _, mangled = mutant.removeprefix("runspan.").partition("__mutmut_")[0].rpartition(".")
    function = mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")  # `x_find`, `xǁSecretsǁmask`
    lines = get_diff_for_mutant(mutant, path=path).splitlines()[2:]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return f"{module}.{function}: {before} -> {after}"


def _reasons() -> dict[str, str]:
    groups = tomllib.loads(REASONS.read_text("utf-8"))["survivors"]
    return {change: group["why"] for group in groups for change in group["changes"]}


def _sums(seen: Counter[tuple[str, str]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for (_, column), count in seen.items():
        sums[column] += count
    return sums


def _mutants(row: Counter[str]) -> int:
    return row["killed"] + row["timeout"] + row["survived"]


def _table(seen: Counter[tuple[str, str]]) -> str:
    rows = {path: Counter({c: seen[path, c] for c in HEAD}) for path in sorted({path for path, _ in seen})}
    cells = [HEAD, *(_cells(path.removeprefix("src/runspan/"), row) for path, row in rows.items())]
    cells.append(_cells("all", _sums(seen)))
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    )


def _cells(name: str, row: Counter[str]) -> tuple[str, ...]:
    share = (row["killed"] + row["timeout"]) / max(_mutants(row), 1)
    counts = (row[column] for column in HEAD[2:-1])
    return (name, str(_mutants(row)), *map(str, counts), f"{share:.1%}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
