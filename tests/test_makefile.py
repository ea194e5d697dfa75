"""The Makefile's targets: each says what it is for, and what pages and workflows tell people to call is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PHONY = {name for line in re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE) for name in line.split()}
# `make NAME` as code of a page, as a line of a shell, as a command of a workflow or of .ci/run; not the verb.
CALL = re.compile(
    r"(?:`|^|^\s+|run: )make (?:--[a-z-]+ )?((?:[a-z][a-z-]* )*[a-z][a-z-]*)(?=[`\s=]|$)", re.MULTILINE
)
CALLERS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob(".github/**/*.yml")),
    ROOT / ".ci" / "run",
]


def test_the_list_shows_each_target_with_what_it_is_for() -> None:
    shown = subprocess.check_output(["make", "--no-print-directory", "help"], cwd=ROOT, text=True)
    listed = re.findall(r"^  ([a-z-]+) +\S", shown, re.MULTILINE)
    assert sorted(listed) == sorted(PHONY)


def test_nobody_is_told_to_call_a_target_that_is_not_there() -> None:
    called = {
        (path.relative_to(ROOT).as_posix(), target)
        for path in CALLERS
        for found in CALL.findall(path.read_text("utf-8"))
        for target in found.split()
    }
    assert len(called) > 25
    assert {one for one in called if one[1] not in PHONY} == set()


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda path: path.stem)
def test_workflows_run_what_a_clone_can_run(path: Path) -> None:
    """Targets of the Makefile, .ci/run, and Debian's packages: nothing that only the workflow knows."""
    commands = re.findall(r"- run: (.+)", path.read_text("utf-8"))
    assert commands
    assert [
        c
        for c in commands
        if not re.match(r"make [a-z$]|\.ci/run$|sudo apt-get update && sudo apt-get install", c)
    ] == []
