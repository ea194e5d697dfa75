"""The `instrument()` that is on, for the app's own spans: `active.now`, or None.

`setup.py` puts it there, `observing/` reads it at each call; neither imports the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config import Config
from ..conventions.extra import NONE, Extra
from ..core.redact import Texts
from .pending import Claimable


@dataclass(slots=True, eq=False)
class Active:
    """What spans of the app's own functions need. One per `instrument()`, and a new one in a forked child."""

    config: Config
    texts: Texts
    provider: Callable[[], Any]  # the TracerProvider of a span that begins now
    runs: Mapping[tuple[str, str], Claimable]  # (server, run id) of the runs that live
    ended: Callable[[str], Any]  # run id -> SpanContext of its span, while that is remembered
    custody: Any  # runs that come from other processes and go there
    extra: Extra = NONE  # what the backend of the preset wants more
    page: str | None = None  # where it shows a trace, with {trace_id} in it
    targets: dict[int, Any] = field(default_factory=dict)  # kept by observing/, by id of the provider
    is_forgotten: bool = False  # of the parent process: its open spans are the parent's to end


now: Active | None = None
