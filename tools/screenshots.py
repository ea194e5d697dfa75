"""Pictures of real pages for the docs, from real traces: `python tools/screenshots.py` writes docs/images/{phoenix,mlflow}.png.

Takes what `make test-backends` has installed, and Debian's Chromium without a window. Runs in a network namespace of its own, as
that does. Look at what it made before it is committed: a page may have changed.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from backends import mlflow, namespace, phoenix
from backends.installs import LOGS, ROOT
from backends.servers import ask, running, until
from backends.told import Told, play
from runspan import presets

IMAGES = ROOT / "docs" / "images"
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

    def wait_for(self, text: str) -> None:
        if not until(lambda: text in self.run("return document.body.innerText"), bool, timeout_s=90):
            raise TimeoutError(f"the page never showed {text!r}")

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
        with browser() as page:
            page.open(_page("phoenix", told, PHOENIX_COLLECTOR_ENDPOINT=phoenix.PAGE))
            page.wait_for("chat gpt-4o")
            page.click("chat gpt-4o")
            page.wait_for("Invocation Params")
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
            page.open(_page("mlflow", told, MLFLOW_TRACKING_URI=mlflow.PAGE, MLFLOW_EXPERIMENT_ID="0"))
            page.wait_for("Paris is warmer.")
            for button in ("Got it", "Close MLflow Assistant", "Close Assistant", "Got it", "chat gpt-4o"):
                page.click(button)
                time.sleep(3)
            page.save("mlflow")


def _page(backend: str, told: Told, **env: str) -> str:
    """Where `runspan.trace_url()` leads for the trace with two function calls."""
    trace = next(s["trace"] for s in told.spans if s["name"] == "ask_weather")
    return str(presets.page(backend, env)).format(trace_id=trace)


def main() -> int:
    if not shutil.which("chromedriver"):
        print("no ChromeDriver: apt-get install chromium-driver")
        return 1
    if not namespace.is_inside():
        return namespace.again_inside()
    namespace.entered()
    wanted = sys.argv[1:] or ["phoenix", "mlflow"]
    for name in wanted:
        {"phoenix": of_phoenix, "mlflow": of_mlflow}[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
