"""Arguments and results as JSON: every kind of value, bounded, never raising, nothing changed."""

from __future__ import annotations

import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import io
import itertools
import json
import logging
import math
import pathlib
import random
import re
import socket
import threading
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pydantic
import pytest
from openai.types.beta.threads import Text

import runspan
from runspan.core.redact import Texts
from runspan.observing.capture import Capture
from runspan.observing.values import is_secret
from tests.support.examples import seeds
from tests.support.tracing import traced

from .trees import given, output, span


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Order:
    id: int
    lines: list[str]
    internal: str = dataclasses.field(default="hidden", repr=False)
    password: str = "hidden"


class User(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    born: datetime.date | None = None
    key: pydantic.SecretStr = pydantic.SecretStr("hidden")
    internal: str = pydantic.Field(default="hidden", exclude=True)


class Array:
    """As numpy's: shape and dtype on the class."""

    def __init__(self, *shape: int) -> None:
        self._shape = shape

    shape = property(lambda self: self._shape)
    dtype = property(lambda self: "float64")


class Scalar(Array):
    def item(self) -> float:
        return 1.5


class Frame(Array):
    columns = property(lambda self: ["a", "b"])


class Evil:
    """Says no to everything."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    __repr__ = __str__ = __len__ = __iter__ = __hash__ = __eq__ = __bool__ = __index__ = (  # type: ignore[assignment]
        lambda *_: 1 / 0
    )


class EvilDict(dict[Any, Any]):
    def items(self) -> Any:
        raise RuntimeError

    __iter__ = __len__ = items


class EvilMeta(type):
    def __hash__(cls) -> int:
        raise RuntimeError

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError

    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError


class Worst(metaclass=EvilMeta):
    __module__ = 3  # type: ignore[assignment]


def shown(value: Any, **options: Any) -> Any:
    """As it is recorded, decoded."""
    text, is_json = Capture(Texts(**options), 131_072).value("output", value)
    return json.loads(text) if is_json else text


cycle: list[Any] = [1]
cycle.append(cycle)

ROWS: list[tuple[Any, Any]] = [
    ("text", "text"),
    ("", ""),
    ("a\ud800b", "a?b"),
    (None, None),
    (True, True),
    (10**40, str(10**40)),
    (1 << 5000, "<int of 5001 bits>"),
    (math.nan, "nan"),
    ([math.inf], ["inf"]),
    (1 + 2j, "(1+2j)"),
    (decimal.Decimal("1.10"), "1.10"),
    (datetime.datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00"),
    (datetime.timedelta(seconds=90), "0:01:30"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (re.compile("a+"), "a+"),
    (range(3), "range(0, 3)"),
    (Color.RED, "red"),
    (Level.HIGH, 3),
    (b"short", "short"),
    (b"\xff\x00", "<bytes of 2, sha256 06eb7d6a69ee19e5>"),
    (bytearray(b"x"), "x"),
    (memoryview(b"x"), "x"),
    ((1, "a"), [1, "a"]),
    ({3}, [3]),
    (collections.deque([1, 2]), [1, 2]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    ({1: "a", (2, 3): "b", None: "c", Color.RED: "d"}, {"1": "a", "[2, 3]": "b", "None": "c", "red": "d"}),
    (Point(1, 2), {"x": 1, "y": 2}),
    (Order(1, ["a"]), {"id": 1, "lines": ["a"], "password": "<masked>"}),
    (User(name="A", more=1), {"name": "A", "born": None, "key": "<pydantic.types.SecretStr>", "more": 1}),  # type: ignore[call-arg]
    (Text(value="v", annotations=[]), {"value": "v", "annotations": []}),
    (ValueError("no", 3), {"type": "ValueError", "args": ["no", 3]}),
    (Array(3, 4), "<Array shape=(3, 4) dtype=float64>"),
    (Scalar(), 1.5),
    (Frame(2, 2), "<Frame shape=(2, 2) columns=[a, b]>"),
    (pydantic.SecretStr("hidden"), "<pydantic.types.SecretStr>"),
    (threading.Lock(), "<_thread.lock>"),
    (types, "<module>"),
    (logging.getLogger("x"), "<logging.Logger>"),
    (io.BytesIO(b"hidden"), "<_io.BytesIO>"),
    (iter([1]), "<list_iterator>"),
    ((n for n in [1]), "<generator>"),
    (Order, f"<{__name__}.Order>"),
    (shown, "<function shown>"),
    (len, "<function len>"),
    (object(), "<object>"),
    (cycle, [1, "<list>"]),
    (Evil(), f"<{__name__}.Evil>"),
    ([Evil(), 1], [f"<{__name__}.Evil>", 1]),
    (EvilDict(a=1), {"a": 1}),
    (Worst(), "<Worst>"),
    ("data:image/png;base64," + "A" * 100, "<image/png, 100 base64 characters, sha256 d53eda7a637c99cc>"),
]


@pytest.mark.parametrize(("value", "expected"), ROWS, ids=[str(i) for i in range(len(ROWS))])
def test_each_kind_of_value_has_its_form(value: Any, expected: Any) -> None:
    if isinstance(expected, str) and "sha256" in expected:
        expected = re.compile(
            re.sub("sha256 .{16}", "sha256 [0-9a-f]{16}", re.escape(expected).replace("\\ ", " "))
        )
        assert expected.fullmatch(shown(value))
    else:
        assert shown(value) == expected


def test_a_socket_goes_by_its_name() -> None:
    with socket.socket() as one:
        assert shown([one]) == ["<socket.socket>"]


def test_iterators_are_not_read() -> None:
    numbers = iter([1, 2])
    shown({"numbers": numbers})
    assert list(numbers) == [1, 2]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *(
            (n, True)
            for n in (
                "password",
                "api_key",
                "apiKey",
                "API_KEY",
                "client_secret",
                "x-api-key",
                "Authorization",
            )
        ),
        *(
            (n, True)
            for n in ("accessToken", "token", "OPENAI_API_KEY", "private_key", "cookie", "dbPassword")
        ),
        *(
            (n, False)
            for n in (
                "max_tokens",
                "prompt_tokens",
                "key",
                "keys",
                "author",
                "passage",
                "secretary",
                "access",
            )
        ),
    ],
)
def test_secrets_are_known_by_their_name(name: str, is_one: bool) -> None:
    assert is_secret(name) is is_one


def test_what_is_called_like_a_secret_is_masked_wherever_it_stands() -> None:
    @runspan.observe
    def connect(url: str, api_key: str, options: dict[str, Any], **more: Any) -> dict[str, str]:
        return {"token": "hidden", "ok": "yes"}

    with traced() as traces:
        connect("u", "hidden", {"headers": {"Authorization": "hidden", "accept": "x"}}, password="hidden")
        recorded = span(traces, "connect")
        assert given(recorded) == {
            "url": "u",
            "api_key": "<masked>",
            "options": {"headers": {"Authorization": "<masked>", "accept": "x"}},
            "password": "<masked>",
        }
        assert output(recorded) == {"token": "<masked>", "ok": "yes"}


def test_long_and_deep_things_are_cut_with_a_mark() -> None:
    assert shown("x" * 20_000) == "x" * 16_383 + "…"
    assert shown(list(range(1_000)))[-1] == "… 800 more"
    many = shown({str(n): n for n in range(1_000)})
    assert many["…"] == "800 more"
    deep: Any = 0
    for _ in range(50):
        deep = [deep]
    assert json.dumps(shown(deep)).count("[") == 8


@pytest.mark.parametrize("size", [64, 100, 1_000])
def test_an_attribute_stays_valid_json_under_a_small_limit(size: int) -> None:
    capture = Capture(Texts(), size)
    for value in ({"a": "x" * 5_000, "b": ["\n" * 500] * 20}, ["\x00" * 1_000], {"k" * 300: {"z": "y" * 99}}):
        text, is_json = capture.value("output", value)
        assert len(text) <= size
        assert is_json
        json.loads(text)


def test_a_huge_argument_costs_neither_time_nor_memory() -> None:
    """A decorator's capture took 4 GB on a Django route (langfuse 5032)."""
    rows = [{"text": "x" * 1_000}] * 1_000_000
    text, _ = Capture(Texts(), 131_072).value("output", {"rows": rows})
    assert len(text) <= 131_072


def test_the_limit_of_the_sdk_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100")
    with traced() as traces:
        runspan.observe(name="f")(lambda items: items)(["y" * 60] * 10)
        recorded = span(traces, "f")
        assert len(json.dumps(given(recorded))) <= 150
        assert isinstance(output(recorded), list)


def test_each_text_is_redacted_at_the_call() -> None:
    seen: list[tuple[str, str]] = []

    def redact(kind: str, text: str) -> str:
        seen.append((kind, text))
        return text.replace("Ann", "###")

    @runspan.observe
    def greet(name: str, more: dict[str, Any]) -> list[str]:
        assert seen  # not on another thread, not later
        return [f"Hello {name}"]

    with traced(redact=redact) as traces:
        greet("Ann", {"Ann": {"n": 1, "who": "Ann B"}})
        recorded = span(traces, "greet")
        assert given(recorded) == {"name": "###", "more": {"###": {"n": 1, "who": "### B"}}}
        assert output(recorded) == ["Hello ###"]
    assert {kind for kind, _ in seen} == {"input", "output"}


@pytest.mark.expects_swallowed
def test_a_text_whose_redaction_fails_is_dropped() -> None:
    with traced(redact=lambda kind, text: str(1 / 0)) as traces:
        assert runspan.observe(name="f")(lambda x: x)("secret") == "secret"
        assert "secret" not in str(span(traces, "f").attributes)


def test_without_content_nothing_of_the_values_goes_out() -> None:
    @runspan.observe(kind="tool")
    def lookup(question: str) -> Iterator[str]:
        runspan.update(input="canary", output="canary", metadata={"m": "canary"})
        yield "canary"

    with traced(capture_content=False) as traces:
        with runspan.context(metadata={"m": "canary"}), runspan.span("s", input="canary") as here:
            here.update(output="canary")
            list(lookup("canary"))
            runspan.score("helpful", 1, comment="canary")
        found = [s.to_json() for s in traces.exporter.get_finished_spans()]
        assert len(found) == 2
        assert "canary" not in "".join(found)


# ---------------------------------------------------------------- anything at all

LEAVES: list[Callable[[random.Random], Any]] = [
    lambda r: r.choice([value for value, _ in ROWS]),
    lambda r: r.randint(-(10 ** r.randint(0, 60)), 10 ** r.randint(0, 60)),
    lambda r: r.random() * 10 ** r.randint(-300, 300),
    lambda r: "".join(chr(r.randrange(0x11_0000)) for _ in range(r.randint(0, 30))),
    lambda r: '\x00"\\\n' * r.randint(0, 20_000),
    lambda r: r.randbytes(r.randint(0, 600)),
    lambda r: Evil(),
    lambda r: Worst(),
]
HASHABLE = [1, "k", None, (1, 2), 2.5, True, b"b", Color.RED, "password", "\ud800"]
NODES: list[Callable[[random.Random, list[Any]], Any]] = [
    lambda r, parts: parts,
    lambda r, parts: tuple(parts),
    lambda r, parts: collections.deque(parts),
    lambda r, parts: dict(zip(itertools.cycle(HASHABLE), parts, strict=False)),
    lambda r, parts: EvilDict(zip(HASHABLE, parts, strict=False)),
    lambda r, parts: Order(1, parts),
    lambda r, parts: User.model_construct(name=parts, extra=parts),
    lambda r, parts: parts * r.randint(1, 500),
    lambda r, parts: parts.append(parts) or parts,  # type: ignore[func-returns-value]
    lambda r, parts: types.SimpleNamespace(parts=parts),
]


def anything(r: random.Random, depth: int = 0) -> Any:
    if depth > r.randint(0, 12):
        return r.choice(LEAVES)(r)
    return r.choice(NODES)(r, [anything(r, depth + 1) for _ in range(r.randint(0, 3))])


@seeds(80)
def test_anything_at_all_is_captured_bounded_and_unchanged(seed: int) -> None:
    value = anything(random.Random(seed))
    again = anything(random.Random(seed))
    for max_chars in (64, 5_000):
        capture = Capture(Texts(max_chars=1_000), max_chars)
        text, is_json = capture.value("output", value)
        assert len(text) <= max_chars
        text.encode()
        if is_json:
            json.loads(text)
        arguments = capture.arguments({"value": value, "other": 1})
        assert arguments is not None
        assert len(arguments[0]) <= max_chars
        json.loads(arguments[0])
    unlimited = Capture(Texts(), 10_000_000)
    assert unlimited.value("output", value) == unlimited.value("output", again)


def test_equal_values_are_captured_equally_and_left_equal() -> None:
    value = {"a": [1, {"b": (2, 3)}], "c": {4}}
    before = copy.deepcopy(value)
    shown(value)
    assert value == before
