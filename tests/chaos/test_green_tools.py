"""eventlet and gevent: a function in a green thread takes the calls of its own run."""

from __future__ import annotations

import pytest

from tests.support.children import environment, finish, start_program


@pytest.mark.parametrize("when", ["before the import", "after the import"])
@pytest.mark.parametrize("library", ["eventlet", "gevent"])
def test_tools_in_green_threads(library: str, when: str) -> None:
    pytest.importorskip(library)
    program = ["-W", "ignore", "-m", "tests.chaos.green_tools", library, when]
    ended = finish(start_program(program, environment(), strict=False))
    assert ended.check().split() == ["12", "12"]
