"""`make test-wheel`: the wheel of dist/ on each Python, in an environment with nothing else in it, as a table.

The steps are those of a user's first minutes (tools/first_minutes.py), run outside the checkout. The sizes are those of the whole
environment, in MB: with runspan alone, and with the viewer's extra.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from interpreters import ROOT, Interpreter, interpreters
from table import columns

HEAD = (
    "python",
    "install",
    "MB",
    "imported",
    "command",
    "demo",
    "viewer",
    "MB",
    "plugin",
    "pip check",
    "seconds",
    "",
)
PIP = "{folder}/bin/python -m pip --disable-pip-version-check"
STEP = 'cd "$(mktemp -d)" && {folder}/bin/python -I {root}/tools/first_minutes.py {name}'
SIZE = "du -sm {folder}"
COMMANDS = (
    f"{{python}} -m venv --clear {{folder}} && {PIP} install --quiet {{wheel}}",
    SIZE,
    *(STEP.replace("{name}", name) for name in ("imported", "command", "demo")),
    f"{PIP} install --quiet '{{wheel}}[ui]' && {STEP.replace('{name}', 'viewer')}",
    SIZE,
    f"{PIP} install --quiet 'pytest>=8.3,<10' && {STEP.replace('{name}', 'plugin')}",
    f"{PIP} check",
)


def main(wanted: list[str]) -> int:
    (wheel,) = ROOT.glob("dist/*.whl")
    rows = [row(one, wheel) for one in interpreters(wanted)]
    print("\n" + columns(HEAD, *rows))
    return int(any("FAILED" in cells for cells in rows))


def row(interpreter: Interpreter, wheel: Path) -> list[str]:
    if not interpreter.python:
        return [interpreter.version, *[""] * (len(HEAD) - 2), f"SKIPPED: {interpreter.missing}"]
    print(f"Python {interpreter.version} ...", flush=True)
    folder = ROOT / f".venvs/wheel{interpreter.version}"
    given = {"python": interpreter.python, "folder": folder, "root": ROOT, "wheel": wheel}
    started = time.monotonic()
    cells = [tried(interpreter, command.format(**given)) for command in COMMANDS]
    return [interpreter.version, *cells, str(round(time.monotonic() - started)), ""]


def tried(interpreter: Interpreter, command: str) -> str:
    done = interpreter.run("sh", "-c", command)
    if done.returncode:
        print(f"$ {command}", done.stdout[-2000:], done.stderr[-4000:], sep="\n")
        return "FAILED"
    size = re.match(r"(\d+)\t", done.stdout)
    return size[1] if size else "ok"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
