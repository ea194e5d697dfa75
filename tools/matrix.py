"""`make test-matrix`: the end-to-end tests on each supported `openai`, as a table.

The oldest client runs with the oldest supported OpenTelemetry and wrapt, so both ends of every pinned range are tested.
Environments are kept in `.venvs/`; delete the folder to make them anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("tests/e2e",)
OTEL = ("api", "sdk", "exporter-otlp")


@dataclass(frozen=True)
class Environment:
    name: str
    requirements: tuple[str, ...]


ENVIRONMENTS = (
    Environment(
        "1.30.5",
        (
            "openai==1.30.5",
            "httpx<0.28",
            "wrapt==1.16.0",
            *(f"opentelemetry-{part}==1.37.0" for part in OTEL),
        ),
    ),
    Environment("1.109.1", ("openai==1.109.1",)),
    Environment("2.54.0", ("openai==2.54.0",)),
    Environment("newest 3.x", ("openai>=3,<4",)),
)
TOOLS = ("pytest>=8.3,<10", "pytest-xdist>=3.6,<4", "rich>=13.7,<16")
SHOWN = ("openai", "httpx", "httpx2", "opentelemetry-sdk", "wrapt", "pydantic")


def main() -> int:
    rows = [run(environment) for environment in ENVIRONMENTS]
    head = ("openai", "with", "passed", "failed", "skipped", "seconds")
    widths = [max(len(str(row[i])) for row in (head, *rows)) for i in range(len(head))]
    print()
    for row in (head, *rows):
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0 if all(row[2] and not row[3] for row in rows) else 1


def run(environment: Environment) -> tuple[str, str, int, int, int, int]:
    python = prepared(environment)
    print(f"openai {environment.name}", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [python, "-m", "pytest", "-n", "auto", "--tb=short", *TESTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        print("\n".join(lines[-60:]), done.stderr[-2000:])
    counts = dict.fromkeys(("passed", "failed", "skipped", "error", "errors"), 0)
    counts |= {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", lines[-1] if lines else "")}
    failed = counts["failed"] + counts["error"] + counts["errors"] or (1 if done.returncode else 0)
    seconds = round(time.monotonic() - started)
    versions = installed(python)
    others = ", ".join(f"{name} {versions[name]}" for name in SHOWN[1:] if name in versions)
    return versions["openai"], others, counts["passed"], failed, counts["skipped"], seconds


def prepared(environment: Environment) -> str:
    """The interpreter of an environment with everything in it, made when it is not there."""
    folder = ROOT / ".venvs" / environment.name.replace(" ", "-")
    python = str(folder / "bin" / "python")
    ready = folder / ".ready"
    wanted = "\n".join((*environment.requirements, *TOOLS))
    if not ready.exists() or ready.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *environment.requirements, *TOOLS, "-e", str(ROOT)], check=True)
        ready.write_text(wanted)
    return python


def installed(python: str) -> dict[str, str]:
    code = (
        "import importlib.metadata as m; print(*(f'{d.name.lower()}={d.version}' for d in m.distributions()))"
    )
    listed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    return dict(pair.split("=", 1) for pair in listed.split())


if __name__ == "__main__":
    sys.exit(main())
