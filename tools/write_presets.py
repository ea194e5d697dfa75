"""The table of every preset, from `runspan.presets`, into docs/presets.md.

python tools/write_presets.py            write the page
python tools/write_presets.py --check    fail if the committed page is not what the presets are
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from generated import main
from runspan.conventions import EXTRAS
from runspan.presets import PRESETS

PAGE = "docs/presets.md"


def table() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "| `backend=` | where to | must be set | may be set | over | extra attributes | `trace_url` |"
    yield "|---|---|---|---|---|---|---|"
    for name, preset in PRESETS.items():
        where = f"{_names(preset.hosts)}, else {_default(preset.default)}{preset.path and f', then `{preset.path}`'}"
        yield " | ".join(
            (
                f"| `{name}`",
                where if preset.hosts else "the `OTEL_*` variables",
                _names(preset.needs),
                _names(preset.optional),
                "HTTP, gRPC" if preset.takes_grpc else "HTTP",
                "yes" if name in EXTRAS else "",
                "yes |" if preset.page else "|",
            )
        )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _default(url: str | None) -> str:
    return f"`{url}`" if url else "the region of the token"


if __name__ == "__main__":
    sys.exit(main(PAGE, "presets", table()))
