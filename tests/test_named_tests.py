"""Pages name tests as answers and as proof; each of them is there, and no promise is without one."""

from __future__ import annotations

import pytest

from tests.support.named_tests import ROOT, missing_of, named_in

PAGES = {
    "docs/contributing/complaints.md": 30,
    "docs/contributing/guarantees.md": 60,
}  # and how many they name at least


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page: str) -> None:
    assert missing_of(page) == []
    assert len(named_in(page)) >= PAGES[page]


def test_every_promise_names_a_test_or_a_page_that_does() -> None:
    rows = [
        line
        for line in (ROOT / "docs/contributing/guarantees.md").read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    promises = [line for line in rows if line != "| promise | checked by |"]
    assert len(promises) > 30
    assert [line for line in promises if "::test_" not in line and "](complaints.md)" not in line] == []


@pytest.mark.parametrize(
    "path",
    sorted(
        {
            word.strip("`,|")
            for word in (ROOT / "SECURITY.md").read_text("utf-8").split()
            if word.startswith("`tests/")
        }
    ),
)
def test_every_file_that_the_threat_model_names_exists(path: str) -> None:
    assert (ROOT / path).exists()
