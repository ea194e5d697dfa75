"""Pictures of real pages for the docs, from real traces: `python tools/screenshots.py` writes docs/images/{phoenix,mlflow}.png.

Takes what `make test-backends` has installed, and Debian's Chromium without a window. Runs in a network namespace of its own, as
that does. Look at what it made before it is committed: a page may have changed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from backends import mlflow, phoenix
from backends.installs import LOGS, ROOT
from backends.servers import ask, running, until
from backends.told import Told, play

IMAGES = ROOT / "docs" / "images"
INSIDE = "RUNSPAN_BACKENDS_INSIDE"
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
    "--window-size=1440,900",
)
DRIVER = "http://127.0.0.1:9515"


class Browser:
    """A page of Chromium, over ChromeDriver's own JSON."""

    def __init__(self, profile: str) -> None:
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self._session = f"{DRIVER}/session/{ask(f'{DRIVER}/session', wanted)['value']['sessionId']}"

    def open(self, url: str) -> None:
        ask(f"{self._session}/url", {"url": url})

    def shows(self, text: str) -> bool:
        """Waits for it."""
        return until(lambda: text in self.run("return document.body.innerText"), bool, timeout_s=90)

    def run(self, script: str) -> Any:
        return ask(f"{self._session}/execute/sync", {"script": script, "args": []})["value"]

    def click(self, text: str) -> None:
        """The innermost element with that text or label, if there is one."""
        wanted = json.dumps(text)
        self.run(
            "const all = [...document.querySelectorAll('button, a, span, div')];"
            f"const found = all.filter(e => e.innerText === {wanted} || e.ariaLabel === {wanted});"
            "if (found.length) found[found.length - 1].click();"
        )

    def save(self, name: str) -> None:
        IMAGES.mkdir(exist_ok=True)
        target = IMAGES / f"{name}.png"
        target.write_bytes(base64.b64decode(ask(f"{self._session}/screenshot")["value"]))
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KB", flush=True)


@contextmanager
def browser() -> Iterator[Browser]:
    driver = ["chromedriver", "--port=9515"]
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        running(driver, log=LOGS / "chromedriver.log", ready=f"{DRIVER}/status"),
    ):
        yield Browser(profile)


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
        chat = next(
            s["id"] for s in spans if s["context"]["trace_id"] == trace and s["name"].startswith("chat")
        )
        with browser() as page:
            page.open(f"{phoenix.PAGE}/projects/{project}/traces/{trace}?selectedSpanNodeId={chat}")
            page.shows("Paris is warmer.")
            time.sleep(5)  # what moves
            page.save("phoenix")


def of_mlflow() -> None:
    with mlflow.mlflow():
        told = play(RUNSPAN_BACKEND="mlflow", MLFLOW_TRACKING_URI=mlflow.PAGE, MLFLOW_EXPERIMENT_ID="0")
        until(
            lambda: ask(
                f"{mlflow.PAGE}/api/3.0/mlflow/traces/search", {**mlflow.EXPERIMENT, "max_results": 50}
            )["traces"],
            lambda found: len(found) == len(told.traces),
        )
        with browser() as page:
            page.open(f"{mlflow.PAGE}/#/experiments/0/traces?selectedEvaluationId=tr-{_weather(told)}")
            page.shows("Paris is warmer.")
            for button in ("Got it", "Close MLflow Assistant", "Close Assistant", "Got it", "chat gpt-4o"):
                page.click(button)
                time.sleep(3)
            page.save("mlflow")


def _weather(told: Told) -> str:
    trace: str = next(s["trace"] for s in told.spans if s["name"] == "ask_weather")
    return trace


def main() -> int:
    if not shutil.which("chromedriver"):
        print("no ChromeDriver: apt-get install chromium-driver")
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
