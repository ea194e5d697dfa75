"""Texts of messages on the page: rendered as Markdown, and never able to act."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runspan.viewer.pictures import is_shown
from runspan.viewer.web.markdown import ATTRIBUTES, MAX_RENDERED, TAGS, is_marked, rendered, unmarked
from runspan.viewer.web.render import form

PIXEL = "data:image/png;base64,iVBORw0KGgo="
TAG = re.compile(r"<\s*/?\s*([a-zA-Z][\w-]*)([^>]*)>")
PIECES = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "![i](https://e.vil/x.png)",
    "<a href='data:text/html,x'>", "```", "`", "**", "[", "](", ")", "<", ">", '"', "'", "&#x6a;avascript:", "|", "\n", "\n\n",
    f"![p]({PIXEL})", f"[a]({PIXEL})",
    "> ", "- ", "1. ", "---", "\x1b[31m", "\u202e", "\ud800", "word ", "https://example.com ", "<svg/onload=x>", "<!--", "]]>",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>"),
        ("a\nb *c*", "<p>a<br>\nb <em>c</em></p>"),
        ("- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"),
        ("```py\nx = 1 < 2\n```", '<pre><code class="language-py">x = 1 &lt; 2\n</code></pre>'),
        ("|a|\n|-|", "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n</table>"),
        ("[docs](https://example.com)", '<p><a href="https://example.com" rel="noopener noreferrer nofollow">docs</a></p>'),
        ("<b>html</b>", "<p>&lt;b&gt;html&lt;/b&gt;</p>"),
    ],
)  # fmt: skip
def test_markdown_is_rendered(text: str, html: str) -> None:
    assert str(rendered(text)).strip() == html


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_text_gets_a_tag_or_an_address_that_acts(text: str) -> None:
    html = str(rendered(text))
    for tag, rest in TAG.findall(html):
        assert tag in TAGS, html
        names = set(re.findall(r"\s([a-z-]+)=\"", rest))
        assert names <= ATTRIBUTES.get(tag, set()) | {"rel"}, html
    assert all(
        link.startswith(("http:", "https:", "mailto:", "/", "#", "?")) or ":" not in link
        for link in re.findall(r'href="([^"]*)"', html)
    )
    assert all(is_shown(address) for address in re.findall(r'<img src="([^"]*)"', html))
    assert not set(html) & set("\x1b\u202e\ud800")


def test_an_image_is_a_link_and_loads_nothing() -> None:
    html = str(rendered("![a picture](https://example.com/x.png)"))
    assert "<img" not in html
    assert 'href="https://example.com/x.png"' in html


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        (f"![x]({PIXEL})", True),
        (f"[x]({PIXEL})", False),
        ("![x](data:image/svg+xml;base64,PHN2Zz4=)", False),
        ("![x](data:text/html;base64,PHN2Zz4=)", False),
        ('<img src="data:image/png;base64,iVBORw0KGgo=">', False),
    ],
)
def test_only_pictures_that_came_with_the_text_are_shown(text: str, shows: bool) -> None:
    html = str(rendered(text))
    assert ("<img" in html) is shows
    assert 'href="data:' not in html


def test_plain_words_stay_plain_and_long_texts_stay_as_they_are() -> None:
    assert not is_marked("Plain words, in two sentences. And 3 numbers: 4 + 5 = 9.")
    assert not is_marked("*" * (MAX_RENDERED + 1))
    assert [form(text) for text in ("words", "**x**", '{"a": 1}', "[1, 2]", "[link", "{broken")] == [
        "plain", "markdown", "json", "json", "markdown", "plain",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("# Title **bold** `x`", "Title bold x"),
        ("snake_case __init__ 2 * 3", "snake_case init 2 * 3"),
        ("see | a | |---|---| | 1 |", "see a 1"),
        ("a | b", "a | b"),
        ("![a cat](https://e.vil/x.png) and [docs](/docs)", "a cat and docs"),
        ("***", "***"),
    ],
)
def test_titles_have_no_signs(text: str, plain: str) -> None:
    assert unmarked(text) == plain
