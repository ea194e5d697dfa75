"""Types of the command's options: ports, and durations as people write them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    _Type = click.ParamType[float]
else:
    _Type = click.ParamType  # takes no parameter before click 8.2


UNITS: Mapping[str, float] = {
    "ms": 1e-3,
    "": 1.0,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
}
MAX_PORT = 65_535
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|min|m|h|d|)")


class Port(_Type):
    """A port to listen on; 0 takes a free one."""

    name = "port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= MAX_PORT):
            self.fail(f"{value!r} is no port: write a number from 0 (a free one) to {MAX_PORT}", param, ctx)
        return int(text)


class Seconds(_Type):
    """`1.5`, `500ms`, `2s`, `3m`, `1h`, `7d` -> seconds; a bare number counts seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = _DURATION.fullmatch(str(value).strip().lower())
        if found is None or not math.isfinite(seconds := float(found[1]) * UNITS[found[2]]):
            self.fail(f"{value!r} is no duration: write 500ms, 2s, 3m, 1h or 7d", param, ctx)
        return seconds


class Moment(_Type):
    """`2026-01-31`, `2026-01-31T12:00` (UTC unless it says otherwise) or a time ago, `30d` -> Unix seconds."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        found = _DURATION.fullmatch(text.lower())
        if found is not None and found[2]:
            return time.time() - Seconds().convert(text, param, ctx)
        try:
            at = datetime.fromisoformat(text.removesuffix("Z"))
            return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time: write 2026-01-31, or 30d for the last 30 days", param, ctx)
