"""Whether work is linear in its text. A ratio over sizes decides, in processor time; absolute times only skip what is quick."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise, product

SIZES = (
    250,
    1_000,
    4_000,
)  # characters; from one to the next, linear work takes 4 times as long, quadratic 16 times
MAX_RATIO = 10.0
QUICK_S = 0.001  # too short to be compared; of SIZES[-1] characters, quadratic work takes 20 times as long

_ALWAYS = ("a", "A", "0", "_", " ", "\n", "\r\n", "\\", "é", "日", "\u0301", '"')


def tokens(source: str) -> list[str]:
    """What a pattern's source names: its words, its signs, and a character of each common class."""
    words = set(re.findall(r"[A-Za-z]{2,}", source)) | set(re.findall(r"[^A-Za-z0-9\s]", source))
    return sorted(words | {word[0] for word in words} | set(_ALWAYS))


def adversaries(parts: Iterable[str], *, pairs: bool = True) -> Iterator[tuple[str, str]]:
    """(prefix, pump): each part repeated after each other one, and each pair of parts repeated."""
    parts = list(parts)
    yield from product(["", *parts], parts)
    if pairs:
        yield from (("", a + b) for a, b in product(parts, parts) if a != b)


def assert_linear(work: Callable[[str], object], texts: Iterable[tuple[str, str]]) -> None:
    for prefix, pump in texts:
        ratio = growth(work, prefix, pump)
        assert ratio < MAX_RATIO, f"{prefix!r} + n * {pump!r}: {ratio:.1f} times as long"


def growth(work: Callable[[str], object], prefix: str, pump: str) -> float:
    """How many times as long a text four times as long takes, at most; 0 where it is quick."""
    for small, large in pairwise(prefix + pump * (size // len(pump)) + "\x00" for size in SIZES):
        if _best_s(work, large, 1) > QUICK_S and _best_s(work, large, 5) > QUICK_S:
            ratio = _best_s(work, large, 5) / _best_s(work, small, 10)
            if ratio >= MAX_RATIO:
                return ratio
    return 0.0


def _best_s(work: Callable[[str], object], text: str, repeats: int) -> float:
    def once() -> float:
        started_s = time.thread_time()
        work(text)
        return time.thread_time() - started_s

    return min(once() for _ in range(repeats))
