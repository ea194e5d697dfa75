"""What `handle.stats()` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since `instrument()`.

    Every recorded run is counted once: `started = emitted + unfinished + handed_off + live + dropped`, where only the causes
    `error` and `outbox_full` of `dropped` are runs.

    Attributes:
        started: Runs that this process created or adopted.
        live: Runs that have not ended yet, or whose export waits for `Limits.settle_s`.
        emitted: Runs that ended and were passed to the exporter.
        unfinished: Runs that were passed to the exporter before their end was seen.
        unrecorded: Runs that the sampler dropped.
        handed_off: Runs that another process exports.
        dropped: What was lost, by cause. Runs: `error`, `outbox_full`. Records: `queue_full`. Spans: `export_failed_spans`,
            `export_queue_full_spans`. `exit`: what the end of the process could not wait for. `not_propagated`: runs whose
            metadata had no room for the key of `propagate_in_metadata`.
        fetches: Requests of runspan itself: `done`, `failed`, `impossible`.
        missing: Exported runs whose trace lacks something: `messages`, `steps`, `input_items`.
        errors: Errors inside runspan, by place. Your app never sees them.
        degraded: Parts of `openai` or OpenTelemetry that the installed version does not have, each with the effect.
    """

    started: int = 0
    live: int = 0
    emitted: int = 0
    unfinished: int = 0
    unrecorded: int = 0
    handed_off: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    fetches: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
