"""Stamps as servers send them: each is a whole second of the server's clock, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.apis.assistants import objects, pages
from runspan.core import fields

AT = 1_700_000_000

STAMPS: list[tuple[Any, int | None]] = [
    (AT, AT),
    (AT + 0.75, AT),
    (AT * 1_000 + 999, AT),  # milliseconds
    (float(AT * 1_000), AT),
    (AT * 1_000_000 + 1, AT),
    (AT * 1_000_000_000 + 1, AT),
    (str(AT), AT),
    (f"{AT}.25", AT),
    (str(AT * 1_000), AT),
    ("2023-11-14T22:13:20Z", AT),
    ("2023-11-14T22:13:20.987654+00:00", AT),
    ("2023-11-14T22:13:20.987654321Z", AT),
    ("2023-11-14 22:13:20+00:00", AT),
    ("2023-11-14T23:13:20+01:00", AT),
    ("2023-11-14T22:13:20", AT),  # no zone: UTC
    (100, 100),
    (0, None),  # not yet, of servers whose language has no null
    (0.0, None),
    ("0", None),
    (-1, None),
    (None, None),
    (True, None),
    ("", None),
    ("soon", None),
    ("9999999999999999999999999999", None),
    ("2023-99-99T00:00:00Z", None),
    ("0001-01-01T00:00:00Z", None),  # the zero of .NET and Go
    (float("nan"), None),
    (float("inf"), None),
    (10**400, None),
    ("9" * 5_000, None),
    ([AT], None),
    ({"seconds": AT}, None),
]


@pytest.mark.parametrize(("said", "expected"), STAMPS, ids=lambda v: str(v)[:32])
def test_a_stamp_is_whole_seconds_however_it_is_said(said: Any, expected: int | None) -> None:
    assert fields.stamp({"created_at": said}, "created_at") == expected
    run = objects.run({"id": "r", "thread_id": "t", "created_at": said, "completed_at": said})
    assert run is not None
    assert (run.created_at, run.ended_at) == (expected, expected)
    assert objects.message({"id": "m", "created_at": said}).created_at == expected


@pytest.mark.parametrize("asked", [{}, {"order": "asc"}, {"order": "desc"}])
@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize(
    "stamps",
    [
        [{"created_at": AT}, {"created_at": AT + 1}],
        [{"created_at": AT + 0.1}, {"created_at": AT + 0.2}],
        [{"created_at": AT, "completed_at": AT + 1}, {"created_at": AT, "completed_at": AT + 2}],
    ],
)
def test_steps_stand_in_the_order_of_their_stamps(
    stamps: list[dict[str, Any]], step: int, asked: dict[str, str]
) -> None:
    rows = [{"id": f"step_{n}", "type": "tool_calls", **stamp} for n, stamp in enumerate(stamps)]
    found, is_ordered, is_whole = pages.steps({"data": rows[::step], "has_more": False}, asked)
    assert [s.id for s in found] == ["step_0", "step_1"]
    assert (is_ordered, is_whole) == (True, True)


@pytest.mark.parametrize(
    ("order", "expected"), [("asc", ["a", "b"]), ("desc", ["b", "a"]), (None, ["b", "a"])]
)
def test_without_telling_stamps_a_page_is_in_the_order_that_was_asked_for(
    order: str | None, expected: list[str]
) -> None:
    rows = [{"id": "a", "created_at": AT}, {"id": "b", "created_at": AT}]
    found, is_ordered, _ = pages.steps({"data": rows}, {"order": order})
    messages, listing = pages.messages({"data": rows}, {"order": order})
    assert ([s.id for s in found], is_ordered) == (expected, False)
    assert ([m.id for m in messages], listing.is_ordered) == (expected, False)
