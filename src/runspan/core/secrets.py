"""Keys that servers and exceptions repeat in their messages ("Incorrect API key provided: ..."): masked, whatever is captured."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASKED = "<masked>"
MIN_CHARS = 8  # a shorter one ("none", "dummy") is no key, and may be a word of the message
MAX_KNOWN = 200

_SHAPES = re.compile(
    r"(?<=://)[^/\s@]+(?=@)"  # user:password of a URL
    r"|(?i:(?<=bearer )[\w.~+/=-]{8,})"
    r"|\bsk-[\w-]{16,}"
)


class Secrets:
    """The keys of clients whose calls failed, and what looks like one."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}

    def add(self, values: Iterable[object]) -> None:
        """Called on the app's threads, when a call of theirs failed."""
        for value in values:
            if isinstance(value, str) and len(value) >= MIN_CHARS and len(self._known) < MAX_KNOWN:
                self._known[value] = None

    def mask(self, text: str) -> str:
        """`text` without them; the longest first, as one may begin with another."""
        for known in sorted(self._known, key=len, reverse=True):
            text = text.replace(known, MASKED)
        return _SHAPES.sub(MASKED, text)
