"""Bodies that are too large to be kept: what is short in them is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runspan.clients import long_texts, taps
from runspan.clients.taps import BodyTap

MAX, LONG = 2_000, 100

short = st.text(max_size=9) | st.integers(0, 9) | st.none()
long_ = st.builds(
    lambda piece, end: piece * 40 + end,
    st.text(min_size=3, max_size=6),
    st.sampled_from(["", '"', "\\", '\\"']),
)
bodies = st.dictionaries(st.text(max_size=5), short | long_ | st.lists(short | long_, max_size=3), max_size=9)


@pytest.fixture(autouse=True, scope="module")
def small_bounds() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taps, "MAX_BYTES", MAX)
        patch.setattr(long_texts, "LONG", LONG)
        yield


def kept(body: bytes, step: int) -> bytes | None:
    got: list[bytes | None] = []
    tap = BodyTap(got.append)
    for start in range(0, len(body), step):
        tap.see(body[start : start + step])
        assert sum(map(len, tap._chunks or ())) <= MAX
    tap.close()
    return got[0]


def is_alike(told: Any, whole: Any) -> bool:
    """The same, but for texts that may be too long."""
    if isinstance(whole, dict):
        return told.keys() == whole.keys() and all(is_alike(told[k], whole[k]) for k in whole)
    if isinstance(whole, list):
        return len(told) == len(whole) and all(map(is_alike, told, whole))
    return told == whole or (isinstance(whole, str) and len(json.dumps(whole)) > LONG)


@given(bodies, st.integers(20, 900), st.booleans())
def test_what_is_short_is_kept(body: dict[str, Any], step: int, is_ascii: bool) -> None:
    whole = {**body, "image": "iVBOR" * MAX, "status": "completed"}
    told = kept(json.dumps(whole, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass"), step)
    if told is None:
        assert len(json.dumps(body)) > MAX // 4
        return
    found = json.loads(told.decode("utf-8", "replace"))
    assert found["image"] is None
    assert is_alike(found, whole)


def test_a_body_that_fits_is_as_it_came() -> None:
    body = json.dumps({"a": "x" * 5 * LONG}).encode()
    assert kept(body, 50) == body


@pytest.mark.parametrize("body", ['"' * 3 * MAX, json.dumps([1.5] * MAX), json.dumps(["word"] * MAX)])
def test_what_is_long_in_other_ways_is_given_up(body: str) -> None:
    assert kept(body.encode(), 100) is None
