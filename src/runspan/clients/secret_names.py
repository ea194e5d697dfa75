"""Headers and parameters whose values are secret: their names say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

_SECRET_NAMES = re.compile(
    r"key|token|secret|auth|cookie|password|signature|credential|\bsig\b|^code$", re.IGNORECASE
)


def named_so(pairs: Iterable[tuple[Any, Any]]) -> Iterator[object]:
    """Values whose names say so; of `Bearer KEY` also the key alone."""
    for name, value in pairs:
        if isinstance(value, str) and _SECRET_NAMES.search(str(name)):
            yield from (value, value.rpartition(" ")[2])
