"""Hook of mkdocs: pages link to files as they lie in the repository. On the site, links to files outside of docs/ lead there.

And what the search puts first: pages that say how to do something, not those for contributors.
"""

from __future__ import annotations

import re
from typing import Any

BEYOND = re.compile(r"\]\((?:\.\./)+((?:examples|deploy|tests|src|tools)/[^)]*|[A-Z][\w.-]*\.md)\)")
BOOSTS = {  # the first that the page's path starts with
    "tutorial": 6.0,
    "contributing/add-a-preset": 4.0,
    "how-to/": 3.0,
    "troubleshooting": 3.0,
    "backends/": 2.0,
    "contributing/": 0.2,
    "design": 0.2,
}


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    boost = next((factor for start, factor in BOOSTS.items() if page.file.src_uri.startswith(start)), 1.0)
    page.meta["search"] = {"boost": boost}
    return BEYOND.sub(rf"]({config['repo_url']}/blob/main/\1)", markdown)
