"""The life of a Run as a Mermaid diagram, drawn from the tables of `core/lifecycle.py` into docs/lifecycle.md.

python tools/draw_lifecycle.py            write the page
python tools/draw_lifecycle.py --check    fail if the committed page is not what the tables say
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from generated import main
from runspan.apis.assistants import statuses
from runspan.core.lifecycle import BACK, FORWARD
from runspan.core.model import Phase

PAGE = "docs/lifecycle.md"


def diagram() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for phase in Phase:
        words = ", ".join(status for status, (of, _) in statuses.RUN.items() if of is phase)
        yield f"    {phase.value}: {phase.value}{f' ({words})' if words and words != phase.value else ''}"
    yield f"    [*] --> {Phase.REQUESTED.value}"
    for at, onward in FORWARD.items():
        for to in sorted(onward, key=list(Phase).index):
            yield f"    {at.value} --> {to.value}"
    for at, back in BACK.items():
        for to in sorted(back, key=list(Phase).index):
            yield f"    {at.value} --> {to.value}: asked for later"
    yield f"    {Phase.OVER.value} --> [*]"
    yield "```"


if __name__ == "__main__":
    sys.exit(main(PAGE, "lifecycle", diagram()))
