"""Every fenced Python example of the README and the documentation runs, and what scripts write into pages is up to date.

An example talks to the fake: the variables of the client and of OTLP lead to loopback. Test functions in it are called with
their fixtures. A block that only shows a shape is fenced as `text`.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import runspan
from runspan.viewer import receiver

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
RECIPES_NEED = {"presidio_analyzer"}
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples() -> Iterator[Any]:
    """(page, line, source, test) of each block; one with test functions counts once for each of them."""
    for page in PAGES:
        text, name = page.read_text("utf-8"), str(page.relative_to(ROOT))
        for found in BLOCK.finditer(text):
            line = text[: found.start()].count("\n") + 2
            for test in re.findall(r"^def (test_\w+)", found[1], re.MULTILINE) or [""]:
                yield pytest.param(name, line, found[1], test, id=f"{name}:{line}{test and ' '}{test}")


@pytest.mark.parametrize(("page", "line", "source", "test"), list(examples()))
def test_example_runs(
    page: str,
    line: int,
    source: str,
    test: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    request.getfixturevalue("assistants_server")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with receiver.serve() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.endpoint)
        try:
            _run(compile("\n" * (line - 1) + source, page, "exec"), namespace)
            if test:
                _call(namespace[test], request)
        finally:
            runspan.uninstrument()
            client = namespace.get("client")
            if client is not None:
                client.close()


def _run(code: Any, namespace: dict[str, Any]) -> None:
    try:
        exec(code, namespace)
    except ModuleNotFoundError as missing:
        if missing.name not in RECIPES_NEED:
            raise
        pytest.skip(f"{missing.name} is not installed; make test-matrix has it")


def _call(test: Any, request: pytest.FixtureRequest) -> None:
    """As pytest does: marks first, then fixtures."""
    for mark in getattr(test, "pytestmark", ()):
        request.node.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))
    test(**{name: request.getfixturevalue(name) for name in inspect.signature(test).parameters})


def test_what_a_script_writes_into_pages_is_up_to_date() -> None:
    command = [sys.executable, "tools/write_pages.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_in_the_navigation() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8").replace("!!python/name:", ""))
    assert set(_pages(settings["nav"])) == {
        str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")
    }


def _pages(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        for page in entry.values():
            yield from [page] if isinstance(page, str) else _pages(page)


def test_the_chinese_readme_has_the_same_first_screen() -> None:
    """Its blocks are those that the English one begins with."""
    english, chinese = (
        re.findall(r"^```\w+\n.*?^```$", (ROOT / name).read_text("utf-8"), re.DOTALL | re.MULTILINE)
        for name in ("README.md", "README.zh-CN.md")
    )
    assert len(chinese) >= 3
    assert chinese == english[: len(chinese)]
