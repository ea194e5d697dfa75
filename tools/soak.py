"""`make soak`: a million runs under simulated time, then twenty minutes of a busy app in real time, and what grew meanwhile.

    RUNS=1000000 MINUTES=20 python tools/soak.py      both, each in a process of its own
    RUNS=30000 python tools/soak.py simulated         one

Exit code 1: something is not flat, or a run is not accounted for.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator

from benches.table import Row, draw


def main(arguments: list[str]) -> int:
    if not arguments:
        parts = [
            subprocess.run([sys.executable, __file__, part]).returncode for part in ("simulated", "real")
        ]
        return max(parts)
    began = time.monotonic()
    warnings.simplefilter("ignore", DeprecationWarning)  # the client's, of all that we are about to use
    logging.disable(logging.WARNING)  # of exports and refusals that are meant to happen
    rows = list(_part(arguments[0]))
    print(f"\n{draw(rows)}")
    missed = sum(not row.is_held for row in rows)
    print(
        f"\n{arguments[0]}: {missed or 'none'} of {len(rows)} beyond bounds, {time.monotonic() - began:.0f} s\n",
        flush=True,
    )
    return 1 if missed else 0


def _part(name: str) -> Iterator[Row]:
    if name == "simulated":
        from soaking import simulated

        return simulated.soak(int(os.environ.get("RUNS", "1000000")))
    from soaking import real

    return real.soak(float(os.environ.get("MINUTES", "20")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
