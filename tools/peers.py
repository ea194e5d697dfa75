"""`make bench-peers`: what other tools' decorators cost beside `@observe`, each in an environment of its own, as one table.

    python tools/peers.py             all
    python tools/peers.py logfire     one

Environments are kept in `.venvs/`; delete the folder to make them anew. One that cannot be installed is named as skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from matrix import ROOT, Environment, installed, prepared

DECORATORS = Path(__file__).parent / "benches" / "peers.py"
# The versions that docs/complaints.md speaks of. mlflow-tracing is MLflow's own distribution of its tracing alone.
PEERS = {
    "langfuse": ("langfuse==5.0.4",),
    "logfire": ("logfire==5.2.0",),
    "traceloop": ("traceloop-sdk==0.62.4", "httpx"),  # which it needs and does not ask for
    "mlflow": ("mlflow-tracing==3.17.2",),
}
CALLS = {
    "langfuse": "@observe()",
    "logfire": "@instrument(record_return=True)",
    "traceloop": "@task",
    "mlflow": "@trace",
}
HEAD = (
    "decorator",
    "with",
    "its call",
    "runspan's",
    "bare span",
    "it / bare",
    "runspan / bare",
    "it / runspan",
)


def main(asked: list[str]) -> int:
    rows = [_row(name) for name in PEERS if not asked or name in asked]
    widths = [max(len(row[i]) for row in (HEAD, *rows) if i < len(row)) for i in range(len(HEAD))]
    print()
    for row in (HEAD, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())
    print(
        "\nAdded to one call of a function of two arguments; both and the result captured. Best of many, thread's own time."
    )
    return 0 if all(len(row) == len(HEAD) for row in rows) else 1


def _row(name: str) -> tuple[str, ...]:
    print(f"{name} ...", flush=True)
    title = f"{name} {CALLS[name]}"
    try:
        python = prepared(Environment(f"peer-{name}", PEERS[name]), tools=())
    except subprocess.CalledProcessError as error:
        return title, f"SKIPPED: pip ended with {error.returncode}"
    versions = installed(python)
    package = PEERS[name][0].partition("==")[0]
    using = f"{package} {versions[package]}, opentelemetry-sdk {versions['opentelemetry-sdk']}"
    command = [python, "-W", "ignore", str(DECORATORS), name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return title, f"FAILED: {done.stderr.strip().splitlines()[-1]}"
    us = json.loads(done.stdout.splitlines()[-1])
    it, our, bare = us[name], us["runspan"], us["bare"]
    ratios = (f"{ratio:.1f}" for ratio in (it / bare, our / bare, it / our))
    return title, using, *(f"{value:.1f} us" for value in (it, our, bare)), *ratios


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
