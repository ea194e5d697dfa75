"""Every page with commands, followed from top to bottom as its reader does; what it says comes out is what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.own_network import own_network
from tests.support.page_session import difference
from tests.support.pages import PAGES, blocks_of, name_of

WITH_COMMANDS = [page for page in PAGES if any(b.language == "sh" and not b.reason for b in blocks_of(page))]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_a_reader_gets_what_the_page_says(page: Path, tmp_path: Path) -> None:
    done = own_network(["-m", "tests.support.page_session", name_of(page), str(tmp_path)])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("page", "output", "is_same"),
    [
        ("│ noticed 20 ms later\n│ 4 polls\n", "│ noticed 1.2 s later  5 polls\n", True),
        ("tokens 28 in → 12 out\n", "tokens 28 in → 13 out\n", False),
        ("a\n...\nz\n", "a\nb\nc\nz\n", True),
        ("a\n...\nz\n", "a\nb\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n...\n", "a\n", True),
        ("run_1a2b\n", "run_ffff\n", True),
    ],
)
def test_an_output_may_differ_in_times_and_ids_alone(page: str, output: str, is_same: bool) -> None:
    assert (difference(page, output) == "") is is_same
