"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# below so many seconds -> (format, seconds per unit); what would round up to the next unit belongs to it
SCALES: Mapping[float, tuple[str, float]] = {
    0.0009995: ("{:.0f} µs", 1e-6),
    0.9995: ("{:.0f} ms", 1e-3),
    99.995: ("{:.2f} s", 1.0),
    5_999.5: ("{:.0f} s", 1.0),
    359_970.0: ("{:.0f} min", 60.0),
    8_638_200.0: ("{:.0f} h", 3_600.0),
}
EXACT_SHARE = 0.02  # a spread below this share of the value changes no digit that is shown
SMALLEST_SPREAD_S = 0.0005
WHOLE_CENTS_FROM = 0.1  # dollars
SMALLEST_DOLLARS = 1e-7


def seconds(value: float) -> str:
    """A duration in at most 8 characters or so: `0 ms`, `40 µs`, `12 ms`, `3.20 s`, `140 s`, `120 min`."""
    if value == 0:
        return "0 ms"
    for below, (form, unit) in SCALES.items():
        if value < below:
            return form.format(value / unit)
    return f"{value / 86_400:.0f} d"


def spread(value: float, width: float | None) -> str:
    """A duration known to lie in an interval of this width around it: `0.5 ± 0.2 s`, with no digit that is not true."""
    if width is None or not is_rough(value, width):
        return seconds(value)
    half = float(f"{width / 2:.0e}")
    unit, scale = ("s", 1.0) if max(value, half * 10) >= 0.9995 else ("ms", 1e-3)
    digits = -math.floor(math.log10(half / scale))  # below zero: tens, hundreds
    parts = (f"{round(part / scale, digits):.{max(0, digits)}f}" for part in (value, half))
    return f"{' ± '.join(parts)} {unit}"


def is_rough(value: float, width: float | None) -> bool:
    """Whether an interval of this width leaves digits of the value open."""
    return (width or 0.0) / 2 >= max(EXACT_SHARE * value, SMALLEST_SPREAD_S)


def money(dollars: float) -> str:
    """US dollars as people write them, with at least two digits that tell something: `$12.50`, `$0.0125`, `$0.000015`."""
    if dollars == 0:
        return "$0"
    if dollars < SMALLEST_DOLLARS:
        return f"<${SMALLEST_DOLLARS:.7f}"
    if dollars >= WHOLE_CENTS_FROM:
        return f"${dollars:,.2f}"
    return f"${dollars:.{max(4, 1 - math.floor(math.log10(dollars)))}f}"


def count(number: float, what: str) -> str:
    """`1 poll`, `12,345 polls`."""
    return f"{number:,.0f} {what}{'' if number == 1 else 's'}"


def moment(time_ns: int) -> str:
    """A time in UTC to the millisecond. Beyond the calendar (the wire allows the year 2554) it never goes."""
    at = EPOCH + timedelta(microseconds=time_ns // 1_000)
    return at.strftime("%Y-%m-%d %H:%M:%S") + f".{at.microsecond // 1_000:03d} UTC"
