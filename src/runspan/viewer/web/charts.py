"""Small charts drawn on the server as SVG: bars over time and a histogram. Numbers become coordinates here, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 120
GAP = 0.18  # of a bar's place
BUCKETS = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """A column; `parts` from below: (kind, y, height). Coordinates are those of an SVG of WIDTH and HEIGHT."""

    x: float
    width: float
    parts: Sequence[tuple[str, float, float]]
    label: str
    value: str  # what a reader is told of it
    link: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """`top`: the value at the upper end. `marks`: (x, label) of vertical lines. `ends`: labels at both ends below."""

    title: str
    bars: Sequence[Bar]
    top: str
    ends: tuple[str, str]
    marks: Sequence[tuple[float, str]] = ()


def columns(
    title: str,
    values: Mapping[str, Mapping[str, float]],
    written: Mapping[str, str],
    top: str,
    links: Mapping[str, str] | None = None,
) -> Chart:
    """One column for each label, stacked by kind. `written`: what a reader is told of each label."""
    most = max((sum(parts.values()) for parts in values.values()), default=0) or 1
    place = WIDTH / max(len(values), 1)
    bars = []
    for at, (label, parts) in enumerate(values.items()):
        stacked, y = [], float(HEIGHT)
        for kind, value in parts.items():
            height = HEIGHT * value / most
            y -= height
            stacked.append((kind, round(y, 2), round(height, 2)))
        bars.append(
            Bar(
                round(place * (at + GAP / 2), 2), round(place * (1 - GAP), 2), stacked, label, written[label],
                (links or {}).get(label, ""),
            )
        )  # fmt: skip
    labels = list(values)
    return Chart(title, bars, top, (labels[0], labels[-1]) if labels else ("", ""))


def histogram(
    title: str, seconds: Sequence[float], marks: Mapping[str, float], write: Mapping[str, str]
) -> Chart:
    """How often which duration, on a logarithmic axis. `marks`: label -> seconds. `write`: label of both ends."""
    times = [max(value, 1e-6) for value in seconds]
    low, high = math.log10(min(times)), math.log10(max(times))
    span = max(high - low, 0.05)
    counts = [0] * BUCKETS
    for value in times:
        counts[min(int((math.log10(value) - low) / span * BUCKETS), BUCKETS - 1)] += 1
    most, place = max(counts), WIDTH / BUCKETS
    bars = [
        Bar(
            round(place * at, 2), round(place * (1 - GAP), 2),
            [("all", round(HEIGHT * (1 - count / most), 2), round(HEIGHT * count / most, 2))], "", f"{count:,} runs",
        )
        for at, count in enumerate(counts)
    ]  # fmt: skip
    lines = [
        (round(WIDTH * min(max((math.log10(max(value, 1e-6)) - low) / span, 0), 1), 2), label)
        for label, value in marks.items()
    ]
    return Chart(title, bars, f"{most:,}", (write["low"], write["high"]), lines)
