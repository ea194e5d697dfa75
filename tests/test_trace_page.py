"""docs/trace.md names what traces hold: every attribute of the golden traces, and none that the code does not know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.golden import TRACES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "trace.md").read_text("utf-8")
NAMED = set(re.findall(r"`((?:[a-z_]+\.)+[a-zA-Z_.]+)`", PAGE))


def names(span: dict[str, Any]) -> Iterator[str]:
    yield from (re.sub(r"\.\d+\.", ".N.", name) for name in span["attributes"])
    for child in span.get("children", []):
        yield from names(child)


@pytest.mark.parametrize("path", sorted(TRACES.glob("*.json")), ids=lambda path: path.stem)
def test_the_page_names_every_attribute_of_a_golden_trace(path: Path) -> None:
    assert set(names(json.loads(path.read_text("utf-8")))) - NAMED == set()


def test_the_page_names_no_attribute_that_the_code_does_not_know() -> None:
    source = "".join(p.read_text("utf-8") for p in (ROOT / "src" / "runspan").rglob("*.py"))
    attributes = {
        n for n in NAMED if n.startswith(("gen_ai.", "runspan.", "openinference.", "input.", "output."))
    }
    made = {"ATTRIBUTE", "value", "mime_type"}  # their last words are put on
    unknown = {n for n in attributes if n not in source and n.rpartition(".")[2] not in made}
    assert unknown == set()
