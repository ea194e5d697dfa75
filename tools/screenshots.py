"""Pictures of real pages for the docs, from real traces: `python tools/screenshots.py` writes docs/images/{phoenix,mlflow}.png.

Takes what `make test-backends` has installed, and Debian's Chromium without a window. Runs in a network namespace of its own, as
that does. Look at what it made before it is committed: a page may have changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

from backends import mlflow, phoenix
from backends.installs import ROOT
from backends.servers import ask, until
from backends.told import Told, play

IMAGES = ROOT / "docs" / "images"
INSIDE = "RUNSPAN_BACKENDS_INSIDE"
SIZE = "1440,860"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def picture(url: str, name: str, budget_ms: int = 60_000) -> None:
    """`budget_ms`: how long the page may think it has taken. The browser skips waiting, so that is not how long it takes."""
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory() as profile:
        target = IMAGES / f"{name}.png"
        seen = [f"--window-size={SIZE}", f"--virtual-time-budget={budget_ms}", f"--user-data-dir={profile}"]
        command = ["chromium", *FLAGS, *seen, f"--screenshot={target}", url]
        subprocess.run(command, check=True, capture_output=True, timeout=240)
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KB from {url}", flush=True)


def of_phoenix() -> None:
    with phoenix.phoenix():
        told = play(
            RUNSPAN_BACKEND="phoenix", PHOENIX_COLLECTOR_ENDPOINT=phoenix.PAGE, PHOENIX_PROJECT_NAME="tutor"
        )
        until(
            lambda: ask(f"{phoenix.PAGE}/v1/projects/tutor/spans?limit=1000")["data"],
            lambda found: len(found) == len(told.spans),
        )
        projects = ask(f"{phoenix.PAGE}/v1/projects")["data"]
        project = next(p["id"] for p in projects if p["name"] == "tutor")
        spans = ask(f"{phoenix.PAGE}/v1/projects/tutor/spans?limit=1000")["data"]
        trace = _weather(told)
        chat = next(s["id"] for s in spans if s["context"]["trace_id"] == trace and s["name"].startswith("chat"))
        picture(f"{phoenix.PAGE}/projects/{project}/traces/{trace}?selectedSpanNodeId={chat}", "phoenix")


def of_mlflow() -> None:
    with mlflow.mlflow():
        told = play(RUNSPAN_BACKEND="mlflow", MLFLOW_TRACKING_URI=mlflow.PAGE, MLFLOW_EXPERIMENT_ID="0")
        until(
            lambda: ask(
                f"{mlflow.PAGE}/api/3.0/mlflow/traces/search", {**mlflow.EXPERIMENT, "max_results": 50}
            )["traces"],
            lambda found: len(found) == len(told.traces),
        )
        picture(f"{mlflow.PAGE}/#/experiments/0/traces?selectedEvaluationId=tr-{_weather(told)}", "mlflow")


def _weather(told: Told) -> str:
    trace: str = next(s["trace"] for s in told.spans if s["name"] == "ask_weather")
    return trace


def main() -> int:
    if not shutil.which("chromium"):
        print("no chromium: apt-get install chromium")
        return 1
    if INSIDE not in os.environ:
        command = f'ip link set lo up && exec "{sys.executable}" "$@"'
        return subprocess.run(
            ["unshare", "--net", "sh", "-c", command, "sh", *sys.argv], env={**os.environ, INSIDE: "{}"}
        ).returncode
    wanted = sys.argv[1:] or ["phoenix", "mlflow"]
    for name in wanted:
        {"phoenix": of_phoenix, "mlflow": of_mlflow}[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
