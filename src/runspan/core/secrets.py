"""Keys that servers and exceptions repeat in their messages ("Incorrect API key provided: ..."): masked, whatever is captured."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASKED = "<masked>"
MIN_CHARS = 8  # a shorter one ("none", "dummy") is no key, and may be a word of the message
MAX_KNOWN = 200
MAX_SHAPED = 256  # of one that is known by its shape, before its shape shows

_SHAPES = re.compile(
    r"(?<=://)[^/\s@]+(?=@)"  # user:password of a URL
    r"|(?i:(?<=bearer )[\w.~+/=-]{8,})"
    r"|\bsk-[\w-]{16,}"
)
# A name is looked through for such a word once (the lookahead), never for each way to divide it: linear in the text.
_NAMED = re.compile(
    r"([?&](?:(?=[\w.-]*?(?:key|token|secret|password|signature|credential))[\w.-]+|sig|code|auth)=)[^&\s#\"'<>]+"
    r"|(\bauthorization['\"]?\s*[:=]\s*['\"]?basic )[\w+/=-]+"
    r"|(\bapi-key['\"]?\s*[:=]\s*['\"]?)[\w.~+/=-]{8,}",
    re.IGNORECASE,
)


class Secrets:
    """The keys of clients that started a run or whose calls failed, and what looks like one."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}

    def add(self, values: Iterable[object]) -> None:
        """Called on the app's threads. The oldest go first: keys are replaced, some every hour.

        A key read from a file ends in a line end, which messages show in another way.
        """
        for value in values:
            key = value.strip() if isinstance(value, str) else ""
            if len(key) >= MIN_CHARS and key not in self._known:
                self._known[key] = None
                if len(self._known) > MAX_KNOWN:
                    self._known.pop(list(self._known)[0], None)  # noqa: RUF015 - a list is made in one step, beside other threads

    @property
    def longest(self) -> int:
        """Characters that the longest key may have."""
        return max(MAX_SHAPED, *map(len, list(self._known)), 0)

    def mask(self, text: str) -> str:
        """`text` without them; the longest first, as one may begin with another."""
        for known in sorted(self._known, key=len, reverse=True):
            text = text.replace(known, MASKED)
        return _NAMED.sub(_kept_name, _SHAPES.sub(MASKED, text))


def _kept_name(found: re.Match[str]) -> str:
    return f"{next(filter(None, found.groups()))}{MASKED}"
