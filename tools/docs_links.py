"""Hook of mkdocs: pages link to README.md as it lies in the repository; on the site its place is taken by the first page."""

from __future__ import annotations

from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    return markdown.replace("](../README.md)", "](index.md)")
