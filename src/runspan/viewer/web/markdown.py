"""Texts of messages as HTML: Markdown rendered by markdown-it, then cleaned by nh3, so that no text can act on the page.

Raw HTML stays text. Images that came with the text show; those on servers become links, because loading one would tell its
server who reads which trace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markupsafe import Markup

from runspan.viewer.pictures import host, is_shown
from runspan.viewer.web.plain import visible

MAX_RENDERED = 20_000  # characters; longer texts stand as they are
MARKS = re.compile(r"[*_`#|\[<~]|^[ \t]{0,8}(?:[-+>]|\d{1,9}[.)])\s|^-{3,}$|https?://", re.MULTILINE)
BREAKS = re.compile(r"`{3}\w*|(?<!\S)#{1,6} |\|[\s:|-]*\|")  # fences, headings, rules of tables
LINKS = re.compile(r"!?\[([^\]\[]*)\]\([^()\s]*\)")
TABLES = re.compile(r"\|[\s:]*-{3,}[\s:]*\|")
SIGNS = re.compile(r"\*\*|__|`|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")
TAGS = frozenset(
    {"a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre", "s",
     "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)  # fmt: skip
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "code": {"class"}, "img": {"src", "alt"}}


@cache
def _renderer(has_breaks: bool) -> MarkdownIt:
    options = {"html": False, "breaks": has_breaks, "linkify": False, "maxNesting": 20}
    made = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    made.add_render_rule("image", _image)
    return made


def _image(self: RendererProtocol, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    source, words = str(tokens[at].attrs.get("src", "")), tokens[at].content
    if is_shown(source):
        return str(Markup('<img src="{}" alt="{}">').format(source, words))
    return str(Markup('<a href="{}">picture: {}</a>').format(source, words or host(source)))


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
    )


def _kept(tag: str, name: str, value: str) -> str | None:
    """Classes only where they name a code block's language; data URLs only as pictures, and pictures as nothing else."""
    if (tag, name) == ("img", "src"):
        return value if is_shown(value) else None
    if name == "href" and value.lstrip().lower().startswith("data"):
        return None
    if (tag, name) == ("code", "class") and not re.fullmatch(r"language-[\w+#.-]{1,30}", value):
        return None
    return value


def is_marked(text: str) -> bool:
    """Whether the text may hold Markdown, and is short enough to be rendered."""
    return len(text) <= MAX_RENDERED and MARKS.search(text) is not None


def rendered(text: str, *, has_breaks: bool = True) -> Markup:
    """The text as clean HTML. Linear in its length.

    With `has_breaks` newlines are kept: people and models who write no Markdown mean them.
    """
    # The cleaner parses what it is given as a browser does and writes only what the tables above allow.
    return Markup(_cleaner().clean(_renderer(has_breaks).render(visible(text))))  # noqa: S704


def unmarked(text: str) -> str:
    """The first words of a text without Markdown's signs, for a title or a list."""
    words = LINKS.sub(r"\1", BREAKS.sub(" ", text))
    if TABLES.search(text):
        words = words.replace("|", " ")
    return " ".join(SIGNS.sub("", words).split()) or text
