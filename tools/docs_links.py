"""Hook of mkdocs: pages link to files as they lie in the repository. On the site, links to files outside of docs/ lead there."""

from __future__ import annotations

import re
from typing import Any

BEYOND = re.compile(r"\]\((?:\.\./)+((?:examples|deploy|tests|src|tools)/[^)]*|[A-Z][\w.-]*\.md)\)")


def on_page_markdown(markdown: str, *, config: Any, **_: Any) -> str:
    return BEYOND.sub(rf"]({config['repo_url']}/blob/main/\1)", markdown)
