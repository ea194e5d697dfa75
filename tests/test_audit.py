"""`make audit` tells a look that found nothing from one that did not take place."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import tomllib
from tools import audit

ROOT = Path(__file__).parents[1]


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


PATCHED = ("openai", "opentelemetry-")  # or extended where they are private


def test_every_requirement_has_a_lower_end_and_what_is_patched_an_upper_one() -> None:
    """A new major version of those reaches nobody before it was tried here. An upper end of others would only keep apps apart."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = (project["dependencies"], *project["optional-dependencies"].values())
    named = [one.partition(";")[0] for each in lists for one in each if not one.startswith("runspan[")]
    both = [one for one in named if re.fullmatch(r"[\w.-]+>=[\w.]+,<[\w.]+", one)]
    assert [one for one in named if one not in both and not re.fullmatch(r"[\w.-]+>=[\w.]+", one)] == []
    assert both == [one for one in named if one.startswith(PATCHED)]
