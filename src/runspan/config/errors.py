"""The exception that users see, and the name that a user meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_NAMED = 3
ALIKE = 0.7  # at difflib's own 0.6, `project` means `redact` and `metrics` means `prices`


class ConfigError(ValueError):
    """A setting is wrong. The message says what to write instead."""


def nearest(wrong: str, names: Iterable[str]) -> list[str]:
    """Names that have every word of `wrong` (`content`: `capture_content`), else the one that is spelled most like it."""
    known, words = sorted(names), set(wrong.lower().split("_"))
    same = [name for name in known if words <= set(name.lower().split("_"))]
    if 0 < len(same) <= MAX_NAMED:
        return same
    return difflib.get_close_matches(wrong.lower(), known, n=1, cutoff=ALIKE)
