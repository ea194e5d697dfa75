"""What is left of a span where the SDK keeps fewer attributes than it has."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from runspan.conventions.essential import NEEDED, ORDER, from_the_start, kept
from tests.conventions.test_attributes import (
    GENERATION_ATTRIBUTES,
    RUN_ATTRIBUTES,
    SEARCH_ATTRIBUTES,
    TOOL_ATTRIBUTES,
)

ALL: Mapping[str, int] = {"z": 1, **dict.fromkeys(reversed(ORDER), 0), "a": 2, "user.id": 3}


@pytest.mark.parametrize("count", [0, 1, 5, len(ORDER), len(ORDER) + 1, len(ALL), 1_000])
def test_the_most_important_stay_in_their_order(count: int) -> None:
    found = kept(ALL, count, {"user.id"})
    assert set(found) == set([*ORDER, "user.id", "z", "a"][:count])
    assert list(found) == [key for key in ALL if key in found]


@pytest.mark.parametrize("count", [0, 1, 5, len(ORDER), NEEDED - 1])
def test_what_a_span_begins_with_is_part_of_what_it_keeps(count: int) -> None:
    known = {key: value for key, value in ALL.items() if key not in ("runspan.run.id", "runspan.run.status")}
    assert from_the_start(known, count).keys() <= kept(ALL, count, {"user.id"}).keys()
    assert from_the_start(known, NEEDED) == from_the_start(known, None) == known


def test_every_key_of_the_table_is_one_that_some_span_has() -> None:
    known = {*RUN_ATTRIBUTES, *GENERATION_ATTRIBUTES, *TOOL_ATTRIBUTES, *SEARCH_ATTRIBUTES}
    rare = {"error.type", "runspan.run.unfinished"}  # where something went wrong
    assert set(ORDER) - known <= rare
    assert len(set(ORDER)) == len(ORDER)
