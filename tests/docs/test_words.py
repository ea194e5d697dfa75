"""Plain words: none of the list in `words.txt`, in anything that a user reads."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import runspan
from runspan.cli.group import COMMANDS, cli
from runspan.viewer.endings import ENDED, FAILED, UNFINISHED
from tests.support.pages import DOCS, PAGES, ROOT, name_of, prose_of

LIST = Path(__file__).with_name("words.txt")
SOURCES = sorted((ROOT / "src" / "runspan").rglob("*.py"))
# Where users read strings of the code: log lines, errors of settings, messages of the command.
CALLS = {"ConfigError", "Problem", "debug", "error", "exception", "info", "warning"}
OLD = "\n## 0.1.0\n"  # of the changelog: history keeps its words
CODE = re.compile(r"`[^`]*`")


@cache
def words() -> tuple[tuple[re.Pattern[str], str], ...]:
    rows = [line.split("\t") for line in LIST.read_text("utf-8").splitlines() if line and line[0] != "#"]
    return tuple((re.compile(pattern, re.IGNORECASE), better) for pattern, better in rows)


def found_in(text: str) -> list[str]:
    """Each bad word with where it is, and what to write. Code between backticks is no prose."""
    plain = CODE.sub("`", text)
    return [
        f"line {plain.count(chr(10), 0, hit.start()) + 1}: {hit[0]!r}; write: {better}"
        for pattern, better in words()
        for hit in pattern.finditer(plain)
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != DOCS / "zh"], ids=name_of)
def test_a_page_is_in_plain_words(page: Path) -> None:
    assert found_in(prose_of(page.read_text("utf-8")).partition(OLD)[0]) == []


FACE = [getattr(runspan, name) for name in runspan.__all__ if callable(getattr(runspan, name))]


@pytest.mark.parametrize("thing", [runspan, *FACE], ids=lambda thing: str(thing.__name__))
def test_a_docstring_of_the_public_api_is_in_plain_words(thing: object) -> None:
    texts = [inspect.getdoc(thing) or ""]
    if inspect.isclass(thing):
        texts += [inspect.getdoc(member) or "" for name, member in vars(thing).items() if name[0] != "_"]
    assert [hit for text in texts for hit in found_in(text)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_text_is_in_plain_words(name: str) -> None:
    top = click.Context(cli, info_name="runspan")
    command = cli.get_command(top, name)
    assert command is not None
    assert found_in(command.get_help(click.Context(command, parent=top, info_name=name))) == []


def test_reasons_of_bad_ends_are_in_plain_words() -> None:
    reasons = [*ENDED.values(), *FAILED.values(), *UNFINISHED.values()]
    assert [hit for reason in reasons for hit in found_in(reason)] == []


def test_log_lines_and_errors_are_in_plain_words() -> None:
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in SOURCES}
    messages = [(path, text) for path, tree in trees.items() for text in _messages(tree)]
    assert len(messages) > 100
    assert [(path, hit) for path, text in messages for hit in found_in(text)] == []


def _messages(tree: ast.AST) -> Iterator[str]:
    """Strings that begin as our log lines do, and those given to a logger or to an error for users."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[:9] == "runspan: ":
            yield node.value
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in CALLS:
                yield from (
                    part.value
                    for argument in node.args
                    for part in ast.walk(argument)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("A run whose end nobody saw goes out marked.", 2),
        ("A run that has not ended is exported.", 0),
        ("The word `neighbours` is a name.", 0),
        ("Sent over HTTP: it is over gRPC.", 0),
        ("The run is over.", 1),
    ],
)
def test_the_list_finds_them(text: str, count: int) -> None:
    assert len(found_in(text)) == count
