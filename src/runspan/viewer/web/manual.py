"""The documentation as pages of the viewer: the same files that the repository has, and there without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from markupsafe import Markup

from runspan.viewer.web import markdown

HERE = Path(__file__).parent
# In a wheel they stand beside this file; in a clone, where they are written.
FOLDERS = (HERE / "docs", HERE.parents[3] / "docs")
FIRST = (
    "viewer",
    "cli",
    "index",
    "lifecycle",
    "trace",
    "configuration",
)  # what a reader of the viewer most often wants
PICTURES = re.compile(r"^!\[.*$\n?|^\|.*!\[.*$\n?", re.MULTILINE)  # not in the wheel
LINKS = re.compile(r"(?<!!)\[([^\]\[]+)\]\(((?!https?:)[^()\s]+)\)")


@cache
def titles() -> Mapping[str, str]:
    """Page -> its title, in reading order."""
    found = {path.stem: _title(path) for folder in FOLDERS for path in sorted(folder.glob("*.md"))}
    return {name: found[name] for name in (*FIRST, *found) if name in found}


@cache
def text(name: str) -> Markup | None:
    """A page as HTML; None where there is none of that name."""
    if name not in titles():
        return None
    path = next(path for folder in FOLDERS if (path := folder / f"{name}.md").exists())
    return markdown.rendered(
        LINKS.sub(_link, PICTURES.sub("", path.read_text(encoding="utf-8"))), has_breaks=False
    )


def _title(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return markdown.unmarked(first)


def _link(match: re.Match[str]) -> str:
    """Links lead to pages of the manual; of files that are not part of it, the name is left."""
    words, target = match.groups()
    page = target.partition("#")[0].removesuffix(".md")
    return f"[{words}](/docs/{page})" if page in titles() else words
