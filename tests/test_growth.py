"""Every regular expression of ours, and everything else that reads texts of others, takes time linear in the text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from runspan.core import blobs, jsontext
from runspan.core.redact import Texts
from runspan.core.secrets import Secrets
from runspan.core.sse import Parser
from runspan.observing.values import is_secret
from tests.support.growth import adversaries, assert_linear, tokens
from tests.support.slices import wide
from tests.support.sources import SOURCE, tree_of


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """(file:line, pattern) of each call of a function of `re` that takes one."""
    for path in sorted(p for p in SOURCE.rglob("*.py") if "import re\n" in p.read_text("utf-8")):
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func.value) != "re" or node.func.attr == "escape":
                continue
            flags = [keyword.value for keyword in node.keywords if keyword.arg == "flags"]
            if node.func.attr == "compile":
                flags += node.args[1:]
            source = eval(ast.unparse(node.args[0]))  # a constant: a pattern made of anything else fails here
            flag = eval(ast.unparse(flags[0])) if flags else 0
            yield f"{path.relative_to(SOURCE)}:{node.lineno}", re.compile(source, flag)


PATTERNS = dict(patterns())


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 20
    assert any(pattern.search("?key=1") for pattern in PATTERNS.values())


@pytest.mark.parametrize("pairs", [False, *wide(True)])
@pytest.mark.parametrize("place", PATTERNS)
def test_a_pattern_is_linear(place: str, pairs: bool) -> None:
    pattern = PATTERNS[place]
    assert_linear(lambda text: pattern.sub("", text), adversaries(tokens(pattern.pattern), pairs=pairs))


def _fed(text: str) -> None:
    parser, data = Parser(), text.encode()
    for start in range(0, len(data), 16):
        for _ in parser.feed(data[start : start + 16]):
            pass


READERS: dict[str, Callable[[str], object]] = {
    "keys": Secrets().mask,
    "binary data": blobs.replaced,
    "a data URL": lambda text: blobs.of_data_url("data:" + text),
    "an error": lambda text: Texts(max_chars=1_000_000).keep("error", text),
    "a name": is_secret,
    "JSON": lambda text: jsontext.parsed('{"a":' + text),
    "JSON to be cut": lambda text: jsontext.fit_text("[" + text + "]", 1_000),
    "an event stream in small pieces": _fed,
}
PARTS = sorted(
    {"key", "data:", ";base64,", "sk-", "bearer ", "://", "@", "api-key", "authorization", "basic ", "Aa0/"}
    | {"event: e\n", "data: d\n", "\n\n", "\r", "event:", "thread.run.requires_action"}
    | {*'?&=;,:"[]{}\\/.-+%', "a", "A", "0", " ", "\n", "é", "\ud800"}
)


@pytest.mark.parametrize("prefixed", [False, *wide(True)])
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_is_linear(reader: str, prefixed: bool) -> None:
    parts = [part for part in PARTS if reader != "an event stream in small pieces" or part != "\ud800"]
    texts = adversaries(parts, pairs=False)
    assert_linear(READERS[reader], texts if prefixed else (one for one in texts if not one[0]))
