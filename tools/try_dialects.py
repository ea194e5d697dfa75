"""`make try-dialects`: what the traces of one program hold on each dialect of the Assistants wire; as a table."""

from __future__ import annotations

import sys
import warnings

from processes import ROOT
from table import columns

sys.path.append(str(ROOT))
from tests.support.dialects import CASES, Told, told_of

HEAD = (
    "dialect",
    "way",
    "runs",
    "same id",
    "status",
    "model",
    "answer",
    "tokens",
    "tools",
    "created",
    "started",
    "ended",
    "missing",
)


def main() -> int:
    warnings.simplefilter("ignore", DeprecationWarning)
    print(columns(HEAD, *(_row(dialect, way.name, told_of(dialect, way)) for dialect, way in CASES)))
    return 0


def _row(dialect: str, way: str, told: Told) -> tuple[object, ...]:
    tokens = "none" if told.usage is None else f"{told.usage[0]} in, {told.usage[1]} out"
    tools = ", ".join(name for name, _ in told.tools)
    stamps = ("" if stamp is None else f"+{stamp:.0f} s" for stamp in told.stamps or ("", "", ""))
    same = "yes" if told.is_same_run else "NO"
    return (
        *(dialect, way, told.runs, same, told.status, told.model, told.answer, tokens, tools),
        *(*stamps, ", ".join(told.missing)),
    )


if __name__ == "__main__":
    sys.exit(main())
