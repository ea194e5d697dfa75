"""An app whose spans are large: one batch of the SDK's is far more than a receiver takes.

    python -m backends.large '{"spans": 200, "chars": 60000, ...}'    the rest are options of `instrument()`

Its one line is what `Told` is made of.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import runspan

from .app import watched


def main() -> None:
    options: dict[str, Any] = json.loads(sys.argv[1])
    spans, chars = options.pop("spans"), options.pop("chars")
    handle, told = watched(max_text_chars=chars, max_attribute_chars=chars, **options)
    for number in range(spans):
        with runspan.span(f"turn {number}") as turn:
            turn.update(output="x" * chars)
    flushed = handle.flush(60)
    stats = handle.stats()
    facts = {"flushed": flushed, "dropped": dict(stats.dropped), "errors": dict(stats.errors)}
    print(json.dumps({"spans": told.spans, **facts}))


if __name__ == "__main__":
    main()
