"""Texts of messages as HTML: Markdown rendered by markdown-it, then cleaned by nh3, so that no text can act on the page.

Raw HTML stays text. Images become links, because loading one would tell its server who reads which trace.
"""

from __future__ import annotations

import re
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from runspan.viewer.web.plain import visible

MAX_RENDERED = 20_000  # characters; longer texts stand as they are
MARKS = re.compile(r"[*_`#|\[<~]|^[ \t]{0,8}(?:[-+>]|\d{1,9}[.)])\s|^-{3,}$|https?://", re.MULTILINE)
BREAKS = re.compile(r"`{3}\w*|(?<!\S)#{1,6} |\|[\s:|-]*\|")  # fences, headings, rules of tables
SIGNS = re.compile(r"\*\*|__|`|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")
TAGS = frozenset(
    {"a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
     "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)  # fmt: skip
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "code": {"class"}}


@cache
def _renderer() -> MarkdownIt:
    # Newlines are kept: people and models who write no Markdown mean them.
    options = {"html": False, "breaks": True, "linkify": False, "maxNesting": 20}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).disable("image")


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _kept(tag: str, name: str, value: str) -> str | None:
    """Classes only where they name a code block's language, which pages of ours do not style otherwise."""
    if (tag, name) == ("code", "class") and not re.fullmatch(r"language-[\w+#.-]{1,30}", value):
        return None
    return value


def is_marked(text: str) -> bool:
    """Whether the text may hold Markdown, and is short enough to be rendered."""
    return len(text) <= MAX_RENDERED and MARKS.search(text) is not None


def rendered(text: str) -> Markup:
    """The text as clean HTML. Linear in its length."""
    # The cleaner parses what it is given as a browser does and writes only what the tables above allow.
    return Markup(_cleaner().clean(_renderer().render(visible(text))))  # noqa: S704


def unmarked(text: str) -> str:
    """The first words of a text without Markdown's signs, for a title or a list."""
    return " ".join(SIGNS.sub("", BREAKS.sub(" ", text)).split()) or text
