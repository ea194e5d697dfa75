"""Measures subjects, each in a process of its own, and prints every number beside its budget.

    python tools/bench.py             those of `make bench`: every number of the design
    python tools/bench.py caller      one; `make load`, `make soak` and `make bench-viewer` name theirs

A subject is a module with `rows() -> Iterator[Row]`. `build/bench.json` has the rows, too, and on what they were measured.
Exit code 1: a number is beyond its budget.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version

from processes import ROOT, environment
from table import Row, draw

PACKAGES = ("runspan", "openai", "opentelemetry-sdk", "opentelemetry-exporter-otlp", "msgspec", "wrapt")
USUAL = {
    **{name: f"benches.{name}" for name in ("caller", "memory", "processor", "fetching", "observe")},
    "simulated": "soaking.simulated",
}
SUBJECTS = {
    **USUAL,
    "instructions": "benches.instructions",
    "real": "soaking.real",
    "archives": "benches.archives",
    "load": "benches.load",
    "viewer": "viewer.bench",
}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--child"]:
        logging.disable(logging.WARNING)  # of exports and refusals that are meant to happen
        for row in importlib.import_module(arguments[1]).rows():
            print(json.dumps(asdict(row)), flush=True)
        return 0
    began = time.monotonic()
    rows = [row for name in arguments or USUAL for row in _measured(name)]
    print(draw(rows))
    missed = sum(not row.is_held for row in rows)
    took, load = time.monotonic() - began, os.getloadavg()[0]
    print(
        f"\n{len(rows)} rows, {missed or 'none'} beyond budget, {took:.0f} s, load {load:.1f}; also in {_kept(rows)}"
    )
    return 1 if missed else 0


def _kept(rows: list[Row]) -> str:
    """The file in which they stand as JSON."""
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    on = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "packages": {name: version(name) for name in PACKAGES},
    }
    kept = {"on": on, "rows": [{**asdict(row), "is_held": row.is_held} for row in rows]}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return str(path.relative_to(ROOT))


def _measured(name: str) -> Iterator[Row]:
    print(f"measuring: {name}", file=sys.stderr, flush=True)
    child = [sys.executable, "-W", "ignore", __file__, "--child", SUBJECTS[name]]
    with subprocess.Popen(child, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            row = Row(**json.loads(line))
            print(f"  {row.what}: {row.value:,.2f} {row.unit}", file=sys.stderr, flush=True)
            yield row
    if process.returncode:
        yield Row(f"{name} ended with an error", process.returncode, "", 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
