"""How pages are made: title and answer first, blocks that run or say why not, links that lead somewhere, all in the navigation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.support.pages import DOCS, PAGES, REASONS, ROOT, Block, blocks_of, name_of, prose_of

LANGUAGES = {"python", "sh", "text", "json", "yaml", "ini", "mermaid"}
MAX_NOT_RUN = 32
README_LINES = 120
# A text block shows output, a tree or a query, never a program that nobody runs.
CODE = re.compile(
    r"^\s*(import |from \w[\w.]* import |with runspan\.|@runspan\.|await |runspan\.\w+\()", re.MULTILINE
)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^()\s]+)\)")
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=name_of)
DOCS_PAGES = [page for page in PAGES if page.is_relative_to(DOCS)]


@pytest.mark.parametrize("page", DOCS_PAGES, ids=name_of)
def test_a_page_answers_its_title_in_its_first_three_lines(page: Path) -> None:
    """A title, an empty line, and then a paragraph: no table, block, picture or further title."""
    title, empty, first = page.read_text("utf-8").splitlines()[:3]
    assert title.startswith("# ")
    assert empty == ""
    assert re.match(r"[`*\w“]", first), first


def test_blocks_have_a_language_and_only_known_marks() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES
    assert {block.reason for block in BLOCKS if block.reason} <= set(REASONS)
    marks = sum(page.read_text("utf-8").count("<!-- not run") for page in PAGES)
    assert marks == sum(bool(block.reason) for block in BLOCKS)  # each stands right above a block


def test_blocks_that_do_not_run_are_few() -> None:
    not_run = [block for block in BLOCKS if block.reason]
    print(Counter(block.reason for block in not_run))
    assert len(not_run) <= MAX_NOT_RUN
    assert all(block.language in ("sh", "python") for block in not_run)


def test_every_file_on_a_page_is_run() -> None:
    """By the commands of its page, or by the tests of the recipes."""
    pages = {block.page for block in BLOCKS if block.title and block.language == "python"}
    followed = {block.page for block in BLOCKS if block.language == "sh" and not block.reason}
    assert pages - followed == {"docs/processes.md", "docs/responses-recipes.md"}


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "text"], ids=lambda b: b.place)
def test_a_text_block_is_no_program(block: Block) -> None:
    assert CODE.search(block.source) is None


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language in ("json", "yaml")], ids=lambda b: b.place
)
def test_data_can_be_read(block: Block) -> None:
    assert (json.loads if block.language == "json" else yaml.safe_load)(block.source)


def test_what_a_script_writes_into_pages_is_up_to_date() -> None:
    command = [sys.executable, "tools/write_pages.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_in_the_navigation() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8").replace("!!python/name:", ""))
    assert sorted(_pages(settings["nav"])) == sorted(p.relative_to(DOCS).as_posix() for p in DOCS_PAGES)


def _pages(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for page in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [page] if isinstance(page, str) else _pages(page)


@EVERY_PAGE
def test_links_to_files_lead_to_files(page: Path) -> None:
    for target in LINK.findall(prose_of(page.read_text("utf-8"))):
        url = urlsplit(target)
        if not url.scheme and url.path:
            assert (page.parent / url.path).exists(), target


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_is_short_and_its_links_work_outside_of_the_repository(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert len(text.splitlines()) <= README_LINES
    targets = [*LINK.findall(text), *re.findall(r"!\[[^\]]*\]\(([^()\s]+)\)", text)]
    assert len(targets) > 15
    for target in targets:
        assert target.startswith(("https://", "#")), target
    for path in re.findall(rf"{REPOSITORY}/(?:blob|tree|raw)/main/([^)#\s]+)", text):
        assert (ROOT / path).exists(), path


REPOSITORY = "https://github.com/runspan/runspan"


def test_the_address_of_the_repository_is_the_same_everywhere() -> None:
    """In the package's metadata, on the site, and in links of pages that are read elsewhere."""
    texts = [(ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "mkdocs.yml", "README.md")]
    for text in texts:
        found = set(re.findall(r"https://github\.com/runspan/[\w-]+", text))
        assert found <= {REPOSITORY}


def test_the_chinese_readme_has_the_same_blocks() -> None:
    english, chinese = (
        [(b.language, b.source) for b in blocks_of(ROOT / name)] for name in ("README.md", "README.zh-CN.md")
    )
    assert [language for language, _ in chinese] == [language for language, _ in english]
    assert [_code(source) for _, source in chinese] == [_code(source) for _, source in english]


def _code(source: str) -> str:
    """Without comments, which are translated."""
    return re.sub(r" *#.*", "", source)
