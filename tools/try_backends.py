"""`make test-backends`: the real programs, used through real runspan, asked by their own APIs, as one table.

    python tools/try_backends.py                 all
    python tools/try_backends.py jaeger mlflow   some

Installing needs the network, and takes its time once: Phoenix and MLflow from PyPI, Jaeger and the Collector built with Go,
all kept in `.backends/`. Everything then runs in a
network namespace of its own: some servers listen on all interfaces, whatever they are told.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping

from backends.installs import JAEGER, MLFLOW, OTELCOL, PHOENIX, CannotInstallError, Program
from backends.report import At, Check, Skipped, draw
from processes import ROOT

sys.path.append(str(ROOT))
from tests.support.own_network import unshare

INSIDE = "TRY_BACKENDS_INSIDE"  # what could not be installed, as JSON

# Module of `tools/backends/` and what it needs.
SUBJECTS: dict[str, tuple[Program, ...]] = {
    "jaeger": (JAEGER,),
    "collector": (OTELCOL, JAEGER),
    "sampling": (OTELCOL,),
    "phoenix": (PHOENIX,),
    "mlflow": (MLFLOW,),
}


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(SUBJECTS)
    if unknown:
        print(f"no such subject: {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}")
        return 2
    subjects = [name for name in SUBJECTS if not wanted or name in wanted]
    if INSIDE not in os.environ:
        needs = dict.fromkeys(need for name in subjects for need in SUBJECTS[name])
        lacking = {n.name: reason for n in needs if (reason := _lacking(n))}
        if not unshare():
            print(
                "no network namespace to start servers in: it needs `unshare` and root, or a kernel that lets users"
            )
            return 1
        command = [*unshare(), sys.executable, *sys.argv]
        return subprocess.run(command, env={**os.environ, INSIDE: json.dumps(lacking)}).returncode
    # Of `timeout`, of CI: the servers end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began, lacking = time.monotonic(), json.loads(os.environ[INSIDE])
    rows = [row for name in subjects for row in _rows(name, lacking)]
    print(draw(rows))
    checked = [row for row in rows if isinstance(row, Check)]
    wrong, skipped = sum(not row.is_held for row in checked), len(rows) - len(checked)
    took = f"{time.monotonic() - began:.0f} s"
    print(f"\n{len(checked)} checks, {wrong or 'none'} wrong, {skipped or 'none'} skipped, {took}")
    return 1 if wrong or not checked else 0


def _rows(name: str, lacking: Mapping[str, str]) -> Iterator[Check | Skipped]:
    for need in SUBJECTS[name]:
        if need.name in lacking:
            yield Skipped(At(name, need.version), f"{need.name}: {lacking[need.name]}")
            return
    print(f"trying: {name}", file=sys.stderr, flush=True)
    try:
        yield from importlib.import_module(f"backends.{name}").checks()
    except Exception as error:
        traceback.print_exc()
        yield At(name, "").holds("all of it could be asked", False, "", repr(error))


def _lacking(need: Program) -> str | None:
    """Why it is not there; None: it is, now."""
    try:
        need.ensure()
    except CannotInstallError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
