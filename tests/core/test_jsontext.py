"""JSON texts: valid, readable, within every limit."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from runspan.core.jsontext import MAX_LEVELS, dumps, fit, fit_text, loads, parsed

LETTERS = 'abc "\\/\n\t\x00\u2028日本𝄞é\ud800\udfff…'


def strict(text: str) -> Any:
    """As a parser reads it that knows nothing beyond the standard (no NaN)."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def anything(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind < 3:
        return "".join(chance.choice(LETTERS) for _ in range(chance.choice([0, 3, 40, 700])))
    if kind < 6:
        return chance.choice([None, True, 0, -7, 2**70, 1.5, float("nan"), float("inf"), -float("inf")])
    below = [anything(chance, depth + 1) for _ in range(chance.randrange(5))]
    return below if kind == 6 else {f"k{i}\ud800"[: chance.randrange(1, 4)]: b for i, b in enumerate(below)}


@pytest.mark.parametrize("seed", range(400))
def test_whatever_it_is_it_fits_and_stays_json(seed: int) -> None:
    chance = random.Random(seed)
    value: Any = [anything(chance) for _ in range(chance.randrange(1, 8))]
    if chance.random() < 0.3:
        value = {f"key {i}": v for i, v in enumerate(value)}
    for max_chars in (0, 1, 2, 8, 31, 64, 200, 2_000, 100_000):
        text = fit(value, max_chars)
        if text is None:
            continue
        assert len(text) <= max_chars
        assert isinstance(strict(text), type(value))
        assert "\\u" not in text.replace("\\u0000", "").replace("\\\\u", "")
        text.encode("utf-8")


def test_what_fits_is_left_as_it_is() -> None:
    value = [{"role": "user", "parts": [{"type": "text", "content": "日本 é 𝄞"}]}]
    whole = '[{"role":"user","parts":[{"type":"text","content":"日本 é 𝄞"}]}]'
    assert fit(value, len(whole)) == whole
    assert dumps(value) == whole


def test_long_texts_are_cut_before_messages_are_left_out() -> None:
    value = [
        {"role": "user", "parts": [{"type": "text", "content": "x" * 5_000}]},
        {"role": "assistant", "parts": []},
    ]
    found = strict(fit(value, 300) or "")
    assert [m["role"] for m in found] == ["user", "assistant"]
    assert found[0]["parts"][0]["content"].endswith("x…")


def test_the_first_items_go_where_cutting_is_not_enough() -> None:
    value = [{"n": i} for i in range(50)]
    assert strict(fit(value, 40) or "") == [{"n": 46}, {"n": 47}, {"n": 48}, {"n": 49}]
    assert fit(value, 5) is None


def test_many_items_are_cut_in_reasonable_time() -> None:
    """A server may send any number of metadata."""
    value = {f"key {i}": "v" * 20 for i in range(1_500)}
    assert len(fit(value, 1_000) or "") <= 1_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1}', {"a": 1}),
        ("not json", "not json"),
        ("", ""),
        (None, None),
        ("[" * 100_000, "[" * 100_000),
        ("9" * 10_000, "9" * 10_000),
    ],
    ids=["object", "not json", "empty", "none", "deep", "huge number"],
)
def test_a_text_is_its_value_where_it_is_json(text: str | None, value: object) -> None:
    assert parsed(text) == value


@pytest.mark.parametrize(
    ("text", "max_chars", "expected"),
    [
        ('{"a":1}', 7, '{"a":1}'),
        ('{"a":"' + "x" * 99 + '"}', 60, '{"a":"' + "x" * 29 + '…"}'),
        ("x" * 99, 60, "x" * 59 + "…"),
        ("[" * 99, 60, "[" * 59 + "…"),
        ('{"a":1}', 3, '{"…'),
    ],
    ids=["fits", "cut inside", "no JSON", "looks like JSON", "nothing fits"],
)
def test_a_text_that_is_json_stays_json(text: str, max_chars: int, expected: str) -> None:
    assert fit_text(text, max_chars) == expected


def nested(levels: int, inner: str = "1") -> str:
    return '[{"a":' * (levels // 2) + "[" * (levels % 2) + inner + "]" * (levels % 2) + "}]" * (levels // 2)


@pytest.mark.parametrize("levels", [1, 99, MAX_LEVELS])
def test_what_is_nested_as_deep_as_people_nest_is_read(levels: int) -> None:
    for text in (nested(levels), nested(levels, ",".join(["{}"] * 200) if levels % 2 else "1")):
        assert loads(text) == loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize("levels", [MAX_LEVELS + 1, 900, 100_000])
def test_what_is_nested_without_end_is_no_json(levels: int) -> None:
    """Models, tools and servers write it; whatever walks through it would end Python's stack."""
    for text in (nested(levels), nested(levels).encode()):
        with pytest.raises((ValueError, RecursionError)):
            loads(text)
    assert parsed(nested(levels)) == nested(levels)
    assert fit_text(nested(levels), 100) == nested(levels)[:99] + "…"
