"""`make test-pythons`: the tests on each supported Python, as a table.

    python tools/pythons.py [VERSION ...] [-- TARGET ...]

Each Python has an environment of its own in `.venvs/`, and runs targets of the Makefile: `test` unless others are named. One that
this machine does not have is a row that says SKIPPED, and why.
"""

from __future__ import annotations

import sys
import time

from interpreters import Interpreter, interpreters
from table import columns, counted

TARGETS = ["test"]
HEAD = ("python", "passed", "failed", "skipped", "seconds", "")


def main(arguments: list[str]) -> int:
    versions, _, targets = " ".join(arguments).partition("--")
    rows = [row(one, targets.split() or TARGETS) for one in interpreters(versions.split())]
    print("\n" + columns(HEAD, *rows))
    return int(any(failed for _, _, failed, *_ in rows))


def row(interpreter: Interpreter, targets: list[str]) -> tuple[str, object, object, object, object, str]:
    version = interpreter.version
    if not interpreter.python:
        return version, "", "", "", "", f"SKIPPED: {interpreter.missing}"
    print(f"Python {version} ...", flush=True)
    started = time.monotonic()
    asked = (f"VENV=.venvs/python{version}", f"PYTHON={interpreter.python}")
    done = interpreter.run("make", "--no-print-directory", *asked, *targets)
    said = done.stdout.strip().splitlines()
    if done.returncode:
        print("\n".join(said[-60:]), done.stderr[-2000:], sep="\n")
    counts = counted(done.stdout)
    failed = counts["failed"] or int(done.returncode != 0)
    exact = interpreter.run(f".venvs/python{version}/bin/python", "-V").stdout.split()
    return (
        (exact or [version])[-1],
        counts["passed"],
        failed,
        counts["skipped"],
        round(time.monotonic() - started),
        "",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
