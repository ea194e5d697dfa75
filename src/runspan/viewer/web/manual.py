"""The documentation as pages of the viewer: the same files that the repository has, and there without a network."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from markupsafe import Markup

from runspan.viewer.web import markdown

HERE = Path(__file__).parent
# In a wheel they stand beside this file; in a clone, where they are written.
FOLDERS = (HERE / "docs", HERE.parents[3] / "docs")
# What a reader of the viewer most often wants, then the rest of the users' pages by folder.
FIRST = ("viewer", "how-to/clear-the-viewer", "troubleshooting", "cli", "index", "tutorial", "how-to/index")
LEFT_OUT = ("contributing/", "design", "numbers", "api")  # for contributors; made by mkdocs from docstrings
PICTURES = re.compile(r"^!\[.*$\n?|^\|.*!\[.*$\n?", re.MULTILINE)  # not in the wheel
COMMENTS = re.compile(r"^<!--.*?-->\n", re.MULTILINE)  # for the tests of the pages
LINKS = re.compile(r"(?<!!)\[([^\]\[]+)\]\(((?!https?:)[^()\s]+)\)")


@cache
def titles() -> Mapping[str, str]:
    """Page -> its title, in reading order. A page in a folder is `folder/name`."""
    found = {
        name: _title(path)
        for folder in FOLDERS
        for path in sorted(folder.rglob("*.md"), key=lambda path: (len(path.parts), path))
        if not (name := path.relative_to(folder).with_suffix("").as_posix()).startswith(LEFT_OUT)
    }
    return {name: found[name] for name in (*FIRST, *found) if name in found}


@cache
def text(name: str) -> Markup | None:
    """A page as HTML; None where there is none of that name."""
    if name not in titles():
        return None
    path = next(path for folder in FOLDERS if (path := folder / f"{name}.md").exists())
    source = COMMENTS.sub("", PICTURES.sub("", path.read_text(encoding="utf-8")))
    return markdown.rendered(LINKS.sub(partial(_link, name), source), has_breaks=False)


def _title(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return markdown.unmarked(first)


def _link(page: str, match: re.Match[str]) -> str:
    """Links lead to pages of the manual; of files that are not part of it, the name is left."""
    words, target = match.groups()
    to = posixpath.normpath(posixpath.join(posixpath.dirname(page), target.partition("#")[0]))
    to = to.removesuffix(".md")
    return f"[{words}](/docs/{to})" if to in titles() else words
