"""A real Prometheus on loopback, and questions to it by its own API."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("prometheus")
PATIENCE_S = 60.0

_CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
- job_name: app
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

Labels = frozenset[tuple[str, str]]


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **query: str) -> Any:
        url = f"{self._url}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, promql: str) -> dict[Labels, float]:
        """Labels of each series, without those of the scrape itself -> its value now."""
        found = self.get("/api/v1/query", query=promql)["result"]
        return {
            frozenset((k, v) for k, v in one["metric"].items() if k not in _OF_THE_SCRAPE): float(
                one["value"][1]
            )
            for one in found
        }

    def wait_for(self, promql: str, value: float) -> None:
        """Until a scrape has brought it."""
        until_s = time.monotonic() + PATIENCE_S
        while (found := self.query(promql)) != {frozenset(): value}:
            assert time.monotonic() < until_s, f"{promql} is {found}, not {value}"
            time.sleep(0.1)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


_OF_THE_SCRAPE = (
    "__name__",
    "instance",
    "job",
    "otel_scope_name",
    "otel_scope_version",
    "otel_scope_schema_url",
)


def labels(**pairs: Any) -> Labels:
    return frozenset((key, str(value)) for key, value in pairs.items())


def where(found: Mapping[Labels, float], name: str) -> dict[str | None, float]:
    """Value of one label -> sum over the series that have it."""
    sums: dict[str | None, float] = {}
    for of, value in found.items():
        label = dict(of).get(name)
        sums[label] = sums.get(label, 0.0) + value
    return sums


@contextmanager
def serve(scraped_port: int, folder: Path) -> Iterator[Prometheus]:
    """A server of its own that scrapes 127.0.0.1:PORT; it has ended when the block ends."""
    assert PROGRAM is not None
    config = folder / "prometheus.yml"
    config.write_text(_CONFIG.format(port=scraped_port))
    port = _free_port()
    log = (folder / "prometheus.log").open("w")
    process = subprocess.Popen(
        [
            PROGRAM,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        found = Prometheus(port)
        until_s = time.monotonic() + PATIENCE_S
        while not found.is_ready():
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < until_s
            time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        process.wait()
        log.close()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
