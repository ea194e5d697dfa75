"""JSON texts: valid, readable, within every limit."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from runspan.core.jsontext import MAX_LEVELS, dumps, fit, fit_text, is_json, loads, parsed
from tests.support.examples import seeds

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


@seeds(80)
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


X = "x" * 99


@pytest.mark.parametrize(
    ("value", "max_chars", "expected"),
    [
        # Texts are cut to half of what there is, again and again, down to about 30 characters.
        ({"a": X}, 107, '{"a":"' + X + '"}'),
        ({"a": X}, 105, '{"a":"' + "x" * 51 + '…"}'),
        ({"a": X}, 60, '{"a":"' + "x" * 29 + '…"}'),
        ({"a": X}, 33, '{"a":"' + "x" * 15 + '…"}'),
        ({"a": X}, 32, None),
        ([X] * 5, 60, '["' + "x" * 29 + '…"]'),
        ({"a": [X], "b": (X, 5)}, 60, '{"b":["' + "x" * 29 + '…",5]}'),
        # Then items are left out, from the first on.
        (list(range(10, 20)), 31, "[10,11,12,13,14,15,16,17,18,19]"),
        (list(range(10, 20)), 30, "[11,12,13,14,15,16,17,18,19]"),
        (list(range(10, 20)), 7, "[18,19]"),
        (list(range(10, 20)), 6, "[19]"),
        (list(range(10, 20)), 4, "[19]"),
        (list(range(10, 20)), 3, None),
        ({"a": 1, "b": 2, "c": 3}, 19, '{"a":1,"b":2,"c":3}'),
        ({"a": 1, "b": 2, "c": 3}, 18, '{"b":2,"c":3}'),
        ({"a": 1, "b": 2, "c": 3}, 13, '{"b":2,"c":3}'),
        ({"a": 1, "b": 2, "c": 3}, 12, '{"c":3}'),
        ({"a": 1, "b": 2, "c": 3}, 7, '{"c":3}'),
        ({"a": 1, "b": 2, "c": 3}, 6, None),
        ([], 2, "[]"),
        ([], 1, None),
    ],
)
def test_what_is_left_of_a_value(value: Any, max_chars: int, expected: str | None) -> None:
    assert fit(value, max_chars) == expected


def test_numbers_that_json_does_not_know_and_other_objects_are_texts() -> None:
    value = {"a": float("nan"), "b": [float("inf"), (1.5, -float("inf"))], "c": {"d": None, "e": range(5)}}
    assert dumps(value) == '{"a":"nan","b":["inf",[1.5,"-inf"]],"c":{"d":null,"e":"range(0, 5)"}}'
    # What the fast encoder refuses:
    assert dumps({**value, "f": "\ud800é"}) == dumps(value)[:-1] + ',"f":"?é"}'


WIDE = pytest.param("[" + '[1,"a",null],' * MAX_LEVELS + "{}]", id="wide, not deep")


@pytest.mark.parametrize(
    "text", ['{"a":[1,"é"]}', b'{"a":[1,"\xc3\xa9"]}', "-Infinity", '"\\ud800"', " 5 ", WIDE]
)
def test_loads_reads_what_json_loads_reads(text: str | bytes) -> None:
    assert loads(text) == json.loads(text)


def test_what_is_no_json_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        loads("{a")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('{"a":1}', True),
        (" \n[1, 2] ", True),
        ("{}", True),
        ('{"a":', False),
        ("5", False),
        ('"a"', False),
        ("", False),
        ("a [1]", False),
    ],
)
def test_only_objects_and_lists_count_as_json(text: str, is_one: bool) -> None:
    assert is_json(text) is is_one


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
        ('{"a": 1}', 8, '{"a": 1}'),
        ("[1, 2, 3, 4]", 9, "[1,2,3,4]"),
        ('{"a":"' + "x" * 99 + '"}', 60, '{"a":"' + "x" * 29 + '…"}'),
        ("x" * 99, 60, "x" * 59 + "…"),
        ("[" * 99, 60, "[" * 59 + "…"),
        (' {"a":"' + X + '"}', 60, '{"a":"' + "x" * 29 + '…"}'),
        ('"' + "x" * 99 + '"', 60, '"' + "x" * 58 + "…"),
        ("5" * 99, 60, "5" * 59 + "…"),
        ('{"a":1}', 3, '{"…'),
    ],
    ids=[
        "fits",
        "fits without spaces",
        "cut inside",
        "no JSON",
        "looks like JSON",
        "space before",
        "a JSON text",
        "a JSON number",
        "nothing fits",
    ],
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
        with pytest.raises((ValueError, RecursionError), match=r"^nested too deep$|recursion|Stack overflow"):
            loads(text)
    assert parsed(nested(levels)) == nested(levels)
    assert fit_text(nested(levels), 100) == nested(levels)[:99] + "…"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert loads(b'{"id":"a","said":"\xe9\xff"}') == {"id": "a", "said": "��"}
