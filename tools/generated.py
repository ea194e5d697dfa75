"""Parts of pages that scripts write: what stands between `<!-- NAME: ... -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def updated(page: str, name: str, part: str) -> str:
    """The page with `part` in its place."""
    pattern = rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end of {name} -->)"
    new, count = re.subn(pattern, lambda found: f"{found[1]}{part}\n{found[2]}", page, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"the page must have one place '<!-- {name}: ... -->' to '<!-- end of {name} -->'")
    return new


def main(page: str, name: str, part: str) -> int:
    """Write the part into the page, or with `--check` only say whether it is the same already."""
    path = ROOT / page
    old = path.read_text("utf-8")
    new = updated(old, name, part)
    if "--check" in sys.argv:
        if old != new:
            print(f"{page} is stale: run python {Path(sys.argv[0])}")
        return int(old != new)
    path.write_text(new, "utf-8")
    return 0
