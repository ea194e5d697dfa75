"""What the coverage-guided fuzzer does to an input beside flipping bytes: lines are observations, and their answers are JSON.

Bytes alone nearly always break the JSON, and then nothing beyond the reader is tried. So most mutations are of a value, or of
the order.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz.spoil import GONE, STATUSES, at, paths, put

ODD: tuple[Any, ...] = (
    *(
        GONE,
        None,
        True,
        False,
        0,
        -1,
        2**63,
        10**25,
        0.5,
        "",
        "\x00",
        "x" * 3_000,
        "run_1",
        [],
        {},
        [[]],
        {"a": {}},
    ),
    *STATUSES,
)
MAX_LINES = 60


def mutated(data: bytes, max_size: int, seed: int, flip: Callable[[bytes, int], bytes]) -> bytes:
    """`data` with one to three changes; `flip` is libFuzzer's own."""
    rnd = random.Random(seed)
    lines = data.split(b"\n")[:MAX_LINES]
    for _ in range(rnd.randint(1, 3)):
        how = rnd.choice((spoil, spoil, spoil, spoil, again, lose, swap, cut, None))
        if how is None:
            return flip(data, max_size)
        lines = how(lines, rnd) or [data]
    return b"\n".join(lines)[:max_size]


# ---------------------------------------------------------------- of the order


def again(lines: list[bytes], rnd: random.Random) -> list[bytes]:
    lines = list(lines)
    lines.insert(rnd.randint(0, len(lines)), rnd.choice(lines))
    return lines


def lose(lines: list[bytes], rnd: random.Random) -> list[bytes]:
    gone = rnd.randrange(len(lines))
    return [line for n, line in enumerate(lines) if n != gone]


def swap(lines: list[bytes], rnd: random.Random) -> list[bytes]:
    lines = list(lines)
    a, b = rnd.randrange(len(lines)), rnd.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return lines


def cut(lines: list[bytes], rnd: random.Random) -> list[bytes]:
    return lines[: rnd.randint(1, len(lines))]


# ---------------------------------------------------------------- of a value


def spoil(lines: list[bytes], rnd: random.Random) -> list[bytes]:
    """One field of one answer set to something odd, to another field's value, or taken away."""
    lines = list(lines)
    n = rnd.randrange(len(lines))
    kind, _, rest = lines[n].partition(b" ")
    what, _, payload = rest.partition(b" ")
    try:
        answer = json.loads(payload)
        known = list(paths(answer))
        if known:
            value = copy.deepcopy(at(answer, rnd.choice(known))) if rnd.random() < 0.5 else rnd.choice(ODD)
            put(answer, rnd.choice(known), value)
            lines[n] = b" ".join((kind, what, json.dumps(answer).encode()))
    except (ValueError, RecursionError):
        pass
    return lines
