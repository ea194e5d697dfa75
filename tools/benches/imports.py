"""Import times, each in fresh interpreters: the best of several."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benches.table import Row

ROUNDS = 12
SDK = "import opentelemetry.sdk.trace"
TIMED = (
    "from time import perf_counter as t; a = t(); {before}; b = t(); {after}; c = t(); print(b - a, c - b)"
)


def rows() -> Iterator[Row]:
    sdk, own = _best(SDK, "import runspan")
    yield Row(
        "import runspan, beyond opentelemetry.sdk.trace",
        own * 1000,
        "ms",
        15,
        note=f"the SDK's own {sdk * 1000:.0f} ms",
    )
    sdk, own = _best(SDK, "import runspan; runspan.instrument")
    yield Row(
        "  with all that instrument() needs", own * 1000, "ms", note=f"{own / sdk:.2f} of the SDK's import"
    )
    _, own = _best("import pytest", "import runspan.testing.plugin")
    yield Row("  the pytest plugin, beyond pytest", own * 1000, "ms")
    loaded = (
        "import sys, runspan; runspan.instrument(); print(sum(m in sys.modules for m in ('openai', 'wrapt')))"
    )
    yield Row("openai and wrapt imported by instrument()", float(_python(loaded)), "", 0)


def _best(before: str, after: str) -> tuple[float, float]:
    rounds = [_python(TIMED.format(before=before, after=after)).split() for _ in range(ROUNDS)]
    return min(float(b) for b, _ in rounds), min(float(a) for _, a in rounds)


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
