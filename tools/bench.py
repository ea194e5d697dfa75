"""`make bench`: every number of the design beside its budget, each subject in a process of its own.

    python tools/bench.py             all
    python tools/bench.py caller      one subject

Subjects are the modules of `tools/benches/` named below and every `tools/bench_*.py`; each defines `rows() -> Iterator[Row]`.
Beside the table, `build/bench.json` says the same to programs: the rows, and on what they were measured.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benches.table import Row, draw

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGES = (
    "runspan",
    "openai",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
    "msgspec",
    "wrapt",
)
SUBJECTS = ("caller", "memory", "imports", "flood", "bursts", "rates", "processor", "fetching", "assembling")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--child"]:
        for row in importlib.import_module(arguments[1]).rows():
            print(json.dumps(row.to_json()), flush=True)
        return 0
    modules = _modules(arguments)
    began = time.monotonic()
    found = [row for module in modules for row in _measured(module)]
    print(draw(found))
    missed = sum(not row.is_held for row in found)
    print(
        f"\n{len(found)} rows, {missed or 'none'} beyond budget, {time.monotonic() - began:.0f} s; also in {_kept(found)}"
    )
    return 1 if missed else 0


def _kept(rows: list[Row]) -> Path:
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
    told = [{**row.to_json(), "is_held": row.is_held} for row in rows]
    path.write_text(json.dumps({"on": on, "rows": told}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path.relative_to(ROOT)


def _modules(wanted: list[str]) -> list[str]:
    known = [f"benches.{name}" for name in SUBJECTS] + sorted(path.stem for path in HERE.glob("bench_*.py"))
    return [
        name for name in known if not wanted or name.removeprefix("benches.").removeprefix("bench_") in wanted
    ]


def _measured(module: str) -> list[Row]:
    print(f"measuring: {module.removeprefix('benches.')}", file=sys.stderr, flush=True)
    child = [sys.executable, "-W", "ignore", __file__, "--child", module]
    done = subprocess.run(child, stdout=subprocess.PIPE, text=True)
    rows = [Row(**json.loads(line)) for line in done.stdout.splitlines()]
    return (
        rows
        if done.returncode == 0
        else [*rows, Row(f"{module} ended with an error", done.returncode, "", 0)]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
