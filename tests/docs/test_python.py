"""Every Python block of the README and the documentation runs, and gives the trace that the page draws.

A block talks to the fake: the variables of the client and of OTLP lead to loopback. Test functions in it are called with their
fixtures. A block with a title is a file; `tests/recipes` runs those.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runspan
from runspan.viewer import tree
from tests.support import receiver
from tests.support.pages import PAGES, Block, blocks_of

RECIPES_NEED = {"presidio_analyzer"}


def groups() -> Iterator[list[Block]]:
    """Blocks that run one after the other in one namespace."""
    for page in PAGES:
        group: list[Block] = []
        for block in blocks_of(page):
            if block.mark == "the trace":
                group.append(block)
            if block.language != "python" or block.title or block.reason:
                continue
            if group and not block.continues:
                yield group
                group = []
            group.append(block)
        if group:
            yield group


def examples() -> Iterator[Any]:
    """One with test functions counts once for each of them."""
    for group in groups():
        tests = [
            name for block in group for name in re.findall(r"^def (test_\w+)", block.source, re.MULTILINE)
        ]
        for test in tests or [""]:
            yield pytest.param(group, test, id=f"{group[0].place}{test and ' '}{test}")


@pytest.mark.parametrize(("group", "test"), list(examples()))
def test_example_runs(
    group: list[Block],
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
            for block in group:
                if block.language == "python":
                    run(block, namespace)
            if test:
                _call(namespace[test], request)
            runspan.uninstrument()
            for block in group:
                if block.mark == "the trace":
                    assert outline(block.source) == outline(tree.to_text(received.spans, width=120))
        finally:
            runspan.uninstrument()
            client = namespace.get("client")
            if client is not None:
                client.close()


LINE = re.compile(r"^([│├└─ ]*)((?:call|chain|llm|run|span|tool) \S.*?)(?: {2,}.*)?$", re.MULTILINE)


def outline(drawn: str) -> list[tuple[int, str]]:
    """(depth, kind and name) of each span of a drawn trace."""
    return [(len(indent), name) for indent, name in LINE.findall(drawn)]


def run(block: Block, namespace: dict[str, Any]) -> None:
    """As a script does, or as a notebook does where it awaits at its top level."""
    code = compile("\n" * (block.line - 1) + block.source, block.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    try:
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, namespace))
        else:
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


FACE = [getattr(runspan, name) for name in runspan.__all__ if callable(getattr(runspan, name))]
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("thing", [runspan, *FACE], ids=lambda thing: str(thing.__name__))
def test_examples_in_docstrings_run(thing: Any) -> None:
    for source in FENCED.findall(inspect.getdoc(thing) or ""):
        try:
            exec(compile(source, thing.__name__, "exec"), {"runspan": runspan})
        finally:
            runspan.uninstrument()
