"""The documentation as its tests read it: pages, and the fenced blocks on them with the marks that stand above a block.

<!-- not run: needs Docker -->     the block cannot run in a test, for one of `REASONS`
<!-- continues -->                 the block goes on where the block before it on this page ended
<!-- the trace -->                 the text block is the trace that the Python block before it makes
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Pages at the root of the repository, and all of docs/.
PAGES = (
    *sorted(ROOT.glob("*.md")),
    ROOT / "deploy" / "README.md",
    *sorted(DOCS.rglob("*.md")),
)
REASONS = (
    "installs packages",
    "needs Docker",
    "needs an account",
    "needs another program",
    "needs your data",
    "runs in a clone",
)
_FENCE = re.compile(r"^( *)```(\w*) *(.*)$")
_MARK = re.compile(r"^ *<!-- (not run: (?P<reason>[^>]+)|(?P<other>continues|the trace)) -->$")
_TITLE = re.compile(r'title="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `line` is that of its first line of content; `reason` is why it does not run."""

    page: str
    line: int
    language: str
    title: str
    source: str
    reason: str = ""
    mark: str = ""

    @property
    def continues(self) -> bool:
        return self.mark == "continues"

    def is_right_after(self, other: Block) -> bool:
        """With an empty line between them at most."""
        return self.page == other.page and self.line - other.line - other.source.count("\n") <= 3

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    return list(_blocks(name_of(page), page.read_text("utf-8").splitlines()))


def _blocks(name: str, lines: list[str]) -> Iterator[Block]:
    opened: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if opened is None:
            opened = (number, fence) if fence else None
        elif line.strip() == "```":
            start, head = opened
            opened = None
            mark = _MARK.match(lines[start - 1]) if start else None
            indent = len(head[1])
            title = _TITLE.search(head[3])
            yield Block(
                name,
                start + 2,
                head[2],
                title[1] if title else "",
                "".join(f"{inner[indent:]}\n" for inner in lines[start + 1 : number]),
                (mark["reason"] or "") if mark else "",
                (mark["other"] or "") if mark else "",
            )


def prose_of(text: str) -> str:
    """The page without its fenced blocks and comments; lines keep their numbers."""
    kept, inside = [], False
    for line in re.sub(r"<!--.*?-->", "", text).splitlines():
        is_fence = line.lstrip().startswith("```")
        inside ^= is_fence
        kept.append("" if inside or is_fence else line)
    return "\n".join(kept)
