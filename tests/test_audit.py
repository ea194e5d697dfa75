"""`make audit` tells a look that found nothing from one that did not take place."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

import pytest
from packaging.requirements import Requirement
from tools import audit


def package(name: str, *vulns: str, looked_up: bool = True) -> dict[str, Any]:
    if not looked_up:
        return {"name": name, "skip_reason": f"Dependency not found on PyPI and could not be audited: {name}"}
    return {
        "name": name,
        "version": "1.0",
        "vulns": [{"id": one, "fix_versions": ["1.1"], "aliases": []} for one in vulns],
    }


@pytest.mark.parametrize(
    ("packages", "state", "told"),
    [
        ([package("a"), package("b")], audit.OK, "none in 2 packages"),
        ([package("a"), package("b", looked_up=False)], audit.OK, "none in 1 packages; not looked up: b"),
        ([package("a"), package("b", "PYSEC-1")], audit.BAD, "b 1.0: PYSEC-1 (mended in 1.1)"),
        ([package("a", looked_up=False)], audit.SKIPPED, "none of 1 packages could be looked up"),
        ([], audit.SKIPPED, "none of 0 packages"),
    ],
)
def test_a_look_that_did_not_take_place_is_not_a_good_one(
    packages: list[dict[str, Any]], state: str, told: str
) -> None:
    found = audit.verdict(packages)
    assert (found.state, found.told[: len(told)]) == (state, told)


def test_what_is_installed_here_fits_together() -> None:
    assert audit.consistency(sys.executable).state == audit.OK


PATCHED = ("openai", "opentelemetry-", "azure-ai-agents")  # or extended where they are private


def test_every_requirement_has_a_lower_end_and_what_is_patched_an_upper_one() -> None:
    """A new major version of those reaches nobody before it was tried here. An upper end of others would only keep apps apart."""
    required = [Requirement(one) for one in metadata.requires("runspan") or ()]
    ends = {one.name: sorted(end.operator for end in one.specifier) for one in required}
    assert ends == {name: ["<", ">="] if name.startswith(PATCHED) else [">="] for name in ends}
    assert {"openai", "click", "mcp", "uvicorn"} <= ends.keys()
