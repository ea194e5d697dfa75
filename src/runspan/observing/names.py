"""Names of values that must not be seen."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

MAX_NAME_CHARS = 256

_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "apikey", "authorization"}
    | {"bearer", "credential", "credentials", "cookie", "cookies"}
)
_SECRET_PAIRS = frozenset((kind, "key") for kind in ("api", "private", "access", "signing", "encryption"))
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@lru_cache(maxsize=4_096)
def is_secret(name: str) -> bool:
    """Whether what is called so must not be seen: `api_key`, `clientSecret`; not `max_tokens`, `key`."""
    words = [word.lower() for word in _WORDS.findall(name[:MAX_NAME_CHARS])]
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))
