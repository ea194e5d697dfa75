"""All checks in the interpreter that runs this, one line per recording and mode, without pytest:

python -m tests.e2e.recordings.matrix [part of a name ...]
"""

from __future__ import annotations

import sys
import time

import openai

from .cases import Case, cases, noticed_by_app, wrong_in_trace
from .folder import why_absent


def problems(case: Case) -> list[str]:
    try:
        return [*wrong_in_trace(case), *noticed_by_app(case).splitlines()]
    except Exception as error:  # one broken case must not hide the others
        return [f"{type(error).__name__}: {error}"]


def main(wanted: list[str]) -> int:
    if reason := why_absent():
        print(f"skipped: {reason}")
        return 0
    chosen = [case for case in cases() if not wanted or any(part in case.name for part in wanted)]
    began, bad = time.perf_counter(), 0
    for case in chosen:
        found = problems(case)
        bad += bool(found)
        print("BAD" if found else "ok ", case.name, *(f"\n      {line}" for line in found), flush=True)
    seconds = time.perf_counter() - began
    print(f"openai {openai.__version__}: {len(chosen)} cases, {bad} bad, {seconds:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
