"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# below so many seconds -> (format, seconds per unit); what would round up to the next unit belongs to it
SCALES: Mapping[float, tuple[str, float]] = {
    0.9995: ("{:.0f} ms", 1e-3),
    99.995: ("{:.2f} s", 1.0),
    5_999.5: ("{:.0f} s", 1.0),
    359_970.0: ("{:.0f} min", 60.0),
    8_638_200.0: ("{:.0f} h", 3_600.0),
}


def seconds(value: float) -> str:
    """A duration in at most 8 characters or so: `0 ms`, `12 ms`, `3.20 s`, `140 s`, `120 min`."""
    for below, (form, unit) in SCALES.items():
        if value < below:
            return form.format(value / unit)
    return f"{value / 86_400:.0f} d"


def count(number: float, what: str) -> str:
    """`1 poll`, `7 polls`."""
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def moment(time_ns: int) -> str:
    """A time in UTC to the millisecond. Beyond the calendar (the wire allows the year 2554) it never goes."""
    at = EPOCH + timedelta(microseconds=time_ns // 1_000)
    return at.strftime("%Y-%m-%d %H:%M:%S") + f".{at.microsecond // 1_000:03d} UTC"
