"""Pages that name tests as their proof: `tests/a/test_b.py::test_c`, or `::test_d` of the same file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)?::(test_\w+)`")


def named_in(page: str) -> list[tuple[str, str]]:
    """(file, test) in order; a file counts until the next one."""
    return list(_named((ROOT / page).read_text("utf-8")))


def missing_of(page: str) -> list[str]:
    return [f"{path}::{name}" for path, name in named_in(page) if name not in _tests_in(path)]


def _named(text: str) -> Iterator[tuple[str, str]]:
    path = ""
    for given, name in _NAMED.findall(text):
        path = given or path
        yield path, name


@cache
def _tests_in(path: str) -> frozenset[str]:
    if not (ROOT / path).is_file():
        return frozenset()
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
