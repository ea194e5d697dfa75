"""What `handle.stats()` gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since `instrument()`. Recorded runs: started = emitted + unfinished + handed_off + live + dropped.

    started: created here, or taken over from another process. Runs are `dropped` as `error` or `outbox_full`; what else is counted
    there is no run: records (`queue_full`), spans (`export_failed_spans`, `export_queue_full_spans`), what an exit could not wait
    for (`exit`), metadata without room for the key of `propagate="metadata"` (`not_propagated`).
    """

    started: int = 0
    live: int = 0
    emitted: int = 0
    unfinished: int = 0
    unrecorded: int = 0  # sampled out
    handed_off: int = 0  # another process emits them
    dropped: Mapping[str, int] = field(default_factory=dict)
    fetches: Mapping[str, int] = field(default_factory=dict)  # done, failed, impossible
    missing: Mapping[str, int] = field(default_factory=dict)  # runs that went out without `messages`, `steps`
    errors: Mapping[str, int] = field(default_factory=dict)  # of runspan itself, by place
    degraded: tuple[str, ...] = ()  # what of other packages is gone, and what is worse without it
