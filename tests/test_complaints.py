"""docs/complaints.md names tests as answers; each of them is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)?::(test_\w+)`")


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_test_that_is_named_exists() -> None:
    missing, path, count = [], "", 0
    for line in (ROOT / "docs" / "complaints.md").read_text("utf-8").splitlines():
        for given, name in NAMED.findall(line):
            path, count = given or path, count + 1
            if name not in names_in(path):
                missing.append(f"{path}::{name}")
    assert missing == []
    assert count > 30
