"""Hook of mkdocs: pages link to files as they lie in the repository.

On the site README.md is the first page; of files that are not part of it, only the name is left.
"""

from __future__ import annotations

import re
from typing import Any

BEYOND = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!docs/)[^)]+\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    return BEYOND.sub(r"\1", markdown.replace("](../README.md)", "](index.md)"))
