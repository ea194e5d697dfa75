"""Headers and parameters whose values are secret: their names say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_SECRET_NAMES = re.compile(
    r"key|token|secret|auth|cookie|password|signature|credential|\bsig\b|^code$", re.IGNORECASE
)


def named_so(pairs: Iterable[tuple[Any, Any]]) -> Iterator[object]:
    """Values whose names say so; of `Bearer KEY` also the key alone."""
    for name, value in pairs:
        if isinstance(value, str) and _SECRET_NAMES.search(str(name)):
            yield from (value, value.strip().rpartition(" ")[2])


def in_url(url: str) -> Iterator[object]:
    """User, password, and parameters whose names say so. Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    yield from (parts.username, parts.password)
    if parts.query:
        yield from named_so(parse_qsl(parts.query))
