"""Import times, each in fresh interpreters: the best of several."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from table import Row

ROUNDS = 12
SDK = "import opentelemetry.sdk.trace"
TIMED = "from time import perf_counter as t; a = t(); {}; b = t(); {}; c = t(); print(b - a, c - b)"
LOADED = (
    "import sys, runspan; runspan.instrument(); print(sum(m in sys.modules for m in ('openai', 'wrapt')))"
)


def rows() -> Iterator[Row]:
    sdk, own = _best_ms(SDK, "import runspan")
    yield Row(
        "import runspan, beyond opentelemetry.sdk.trace", own, "ms", 15, note=f"the SDK's own {sdk:.0f} ms"
    )
    sdk, own = _best_ms(SDK, "import runspan; runspan.instrument")
    yield Row("  with all that instrument() needs", own, "ms", note=f"{own / sdk:.2f} of the SDK's import")
    yield Row(
        "  the pytest plugin, beyond pytest",
        _best_ms("import pytest", "import runspan.testing.plugin")[1],
        "ms",
    )
    yield Row("openai and wrapt imported by instrument()", float(_python(LOADED)), "", 0)


def _best_ms(before: str, after: str) -> tuple[float, float]:
    rounds = [map(float, _python(TIMED.format(before, after)).split()) for _ in range(ROUNDS)]
    before_s, after_s = map(min, zip(*rounds, strict=True))
    return before_s * 1000, after_s * 1000


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
