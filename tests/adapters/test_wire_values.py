"""Single values of wire objects: parts, numbers, settings, errors, ends."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.adapters import wire
from runspan.core.model import Part


def test_parts_of_every_kind_survive() -> None:
    note = {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "f"}}
    content = [
        {"type": "text", "text": {"value": "hi", "annotations": [note]}},
        {"type": "image_file", "image_file": {"file_id": "f", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
        {"type": "hologram", "depth": 3},
        {"no": "type"},
    ]
    assert wire.message({"id": "m", "role": "user", "content": content}).parts == (
        Part("text", "hi", {"annotations": [note]}),
        Part("image_file", None, {"file_id": "f", "detail": "low"}),
        Part("image_url", None, {"url": "http://x/y.png"}),
        Part("hologram", None, {"depth": 3}),
        Part("unknown", None, {"no": "type"}),
    )


def test_a_message_of_a_run_that_leaves_its_role_out_is_the_runs() -> None:
    assert wire.message({"id": "m", "run_id": "run_1", "content": "hi"}).role == "assistant"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((None, None), (True, None), ("5", None), ([], None), ({}, None), (1e300, None)),
        *((2**53, None), (-(2**53), None), (10**400, None), (float("nan"), None), (float("inf"), None)),
        *((0, 0), (7, 7), (7.9, 7), (-3, -3), (2**53 - 1, 2**53 - 1)),
    ],
    ids=lambda value: str(value)[:20],
)
def test_numbers_are_whole_and_safe_or_absent(value: Any, number: int | None) -> None:
    assert wire.number({"n": value}, "n") == number


def test_settings_of_another_type_are_absent() -> None:
    run = wire.run(
        {"id": "r", "thread_id": "t", "temperature": "hot", "top_p": True, "parallel_tool_calls": True}
    )
    assert run is not None
    assert run.settings == {"parallel_tool_calls": True}


def test_an_error_without_a_code_keeps_its_message() -> None:
    found = wire.error({"code": None, "message": "boom"})
    assert found is not None
    assert found.message == "boom"


def test_an_expired_run_ended_at_its_expiry() -> None:
    for status, ended_at in (("expired", 700), ("completed", None)):
        run = wire.run({"id": "r", "thread_id": "t", "status": status, "expires_at": 700})
        assert run is not None
        assert run.ended_at == ended_at
