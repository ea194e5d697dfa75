"""An app at work while its traces get into trouble.

    python -m backends.busy '{"runs": 300, "flush_s": 3, "endpoint": ...}'

It makes half of its runs, prints `half`, waits for a line, makes the rest, flushes, and ends as any process does. Its last line is
printed at the very end of its exit, after runspan's own exit hook: the spans that were made, how long calls took, what was counted,
what was logged.
"""

from __future__ import annotations

import atexit
import json
import logging
import statistics
import sys
import time
from typing import Any

from . import canned
from .app import watched

if __name__ == "__main__":
    options: dict[str, Any] = json.loads(sys.argv[1])
    runs, flush_s = options.pop("runs"), options.pop("flush_s")
    said: list[str] = []
    facts: dict[str, Any] = {}

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    @atexit.register  # before runspan's hook is: hooks run last-registered first
    def report() -> None:
        stats = handle.stats()
        ended_s = time.monotonic() - facts.pop("left_s")
        print(
            json.dumps(
                {
                    **facts,
                    "exit_s": ended_s,
                    "sent": [s["span"] for s in told.spans],
                    "dropped": dict(stats.dropped),
                    "errors": dict(stats.errors),
                    "said": said,
                }
            ),
            flush=True,
        )

    logging.getLogger().addHandler(Listening(logging.WARNING))
    handle, told = watched(**options)
    took: list[float] = []
    with canned.client() as client:
        for number in range(runs):
            if number == runs // 2:
                print("half", flush=True)
                sys.stdin.readline()
            began = time.perf_counter()
            canned.whole_run(client)
            took.append(time.perf_counter() - began)
            time.sleep(0.004)  # other things that an app does
    began = time.monotonic()
    facts["flushed"] = handle.flush(flush_s)
    facts["flush_s"] = time.monotonic() - began
    facts["run_ms"] = statistics.median(took) * 1000
    facts["left_s"] = time.monotonic()
