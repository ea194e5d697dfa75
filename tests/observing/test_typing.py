"""Type checkers see the decorated function's own signature."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USE = """
import runspan
from collections.abc import AsyncIterator, Iterator

@runspan.observe
def plain(a: int, *, b: str = "") -> bytes:
    return b""

@runspan.observe(kind="tool")
async def coroutine(a: int) -> str:
    return ""

@runspan.observe()
def each(n: int) -> Iterator[int]:
    yield n

@runspan.observe
async def aeach(n: int) -> AsyncIterator[int]:
    yield n

@runspan.context(session_id="s")
def within(n: int) -> int:
    return n

class A:
    @runspan.observe
    def method(self, x: int) -> int:
        return x

    @runspan.observe
    @classmethod
    def of_class(cls, x: int) -> int:
        return x

    @staticmethod
    @runspan.observe
    def static(x: int) -> int:
        return x

reveal_type(plain)
reveal_type(coroutine)
reveal_type(each)
reveal_type(aeach)
reveal_type(within)
reveal_type(A().method)
reveal_type(A.of_class)
reveal_type(A.static)
with runspan.span("x") as one:
    one.update(output=1)
plain("wrong")
"""
MYPY = [
    "def (a: int, *, b: str) -> bytes",
    "def (a: int) -> typing.Coroutine[Any, Any, str]",
    "def (n: int) -> typing.Iterator[int]",
    "def (n: int) -> typing.AsyncIterator[int]",
    "def (n: int) -> int",
    *["def (x: int) -> int"] * 3,
]
PYRIGHT = [
    '(a: int, *, b: str = "") -> bytes',
    "(a: int) -> CoroutineType[Any, Any, str]",
    "(n: int) -> Iterator[int]",
    "(n: int) -> AsyncIterator[int]",
    "(n: int) -> int",
    *["(x: int) -> int"] * 3,
]


def said(tmp_path: Path, *command: str) -> str:
    module = tmp_path / "use.py"
    module.write_text(USE)
    done = subprocess.run(
        [sys.executable, "-m", *command, str(module)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    return done.stdout


@pytest.mark.wide
def test_mypy_sees_the_same_signature(tmp_path: Path) -> None:
    out = said(tmp_path, "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"))
    revealed = [re.sub(r" =( \.\.\.)?", "", one) for one in re.findall(r'Revealed type is "(.*)"', out)]
    assert revealed == MYPY, out
    assert out.count("error:") == 1, out


@pytest.mark.wide
@pytest.mark.skipif(
    not importlib.util.find_spec("pyright"), reason="pyright is not installed: make test-matrix has it"
)
def test_pyright_sees_the_same_signature(tmp_path: Path) -> None:
    out = said(tmp_path, "pyright", "--pythonpath", sys.executable)
    assert re.findall(r'Type of ".*" is "(.*)"', out) == PYRIGHT, out
    assert out.count(" - error:") == 1, out
