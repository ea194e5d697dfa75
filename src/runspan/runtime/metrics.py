"""Records what `conventions/measures.py` says of each run. On the worker's thread; the SDK's locks are never taken on the app's.

What servers and assistants are called comes from outside: of each attribute `MAX_VALUES` different values are kept, all others
count as `other`. So the number of series is bounded, whatever the app does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import ref

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from .._version import __version__
from ..conventions import measures
from ..conventions.measures import DROPPED, Instrument, Measure
from ..core.model import SpanData
from ..core.redact import clean, cut
from ..guard import guarded
from .tracers import SCOPE

MAX_VALUES = 100  # different values of one attribute
MAX_CHARS = 128  # of one value
OTHER = "other"

# There from the start, so that a rate sees the first one too.
CAUSES = ("queue_full", "outbox_full", "error", "exit", "export_failed_spans", "export_queue_full_spans")

Counts = Callable[[], Mapping[str, int]]


class Metrics:
    """`provider()` says which MeterProvider records now, if any; `dropped()` counts by cause since `instrument()`."""

    def __init__(self, provider: Callable[[], MeterProvider | None], dropped: Counts) -> None:
        self._provider = provider
        self._dropped = dropped
        self._meters: dict[int, _Recorder] = {}
        self._bounds = Bounds(MAX_VALUES)

    def run(self, data: SpanData, context: Context) -> None:
        """A run that is over, or given up. `context` holds its span, which exemplars point at."""
        self._record(measures.of_run(data), context)

    def tool(self, data: SpanData, context: Context) -> None:
        """A call of a tool that ran once its run was over."""
        self._record(measures.of_tool(data), context)

    def unrecorded(self, data: SpanData) -> None:
        self._record(measures.of_unrecorded(data), Context())

    def close(self) -> None:
        """What was counted stays counted; nothing of this `instrument()` is asked any more."""
        for recorder in self._meters.values():
            recorder.drops.forget(self._dropped)

    def _record(self, found: Iterable[Measure], context: Context) -> None:
        with guarded("record metrics"):
            provider = self._provider()
            if provider is None:
                return
            recorder = self._meters.get(id(provider))
            if recorder is None:
                recorder = self._meters[id(provider)] = _Recorder(provider, self._dropped)
            for instrument, value, attributes in found:
                recorder.record(instrument, value, self._bounds.within(attributes), context)


class Bounds:
    """Keeps the number of different attribute values small."""

    def __init__(self, max_values: int) -> None:
        self._max_values = max_values
        self._known: dict[str, set[object]] = {}

    def within(self, attributes: Mapping[str, measures.Value]) -> dict[str, Any]:
        kept = {}
        for key, value in attributes.items():
            known = self._known.get(key)
            if known is not None and value in known:  # nearly always
                kept[key] = value
                continue
            value = cut(clean(value), MAX_CHARS) if isinstance(value, str) else value
            known = self._known.setdefault(key, set())
            if value in known or len(known) < self._max_values:
                known.add(value)
                kept[key] = value
            elif isinstance(value, str):
                kept[key] = OTHER  # a number has no such word: it is left out
        return kept


class _Recorder:
    """The instruments of one MeterProvider, made as they are needed."""

    def __init__(self, provider: MeterProvider, dropped: Counts) -> None:
        self._provider = provider  # kept alive: it is known by its id
        self._meter = provider.get_meter(SCOPE, __version__)
        self._records: dict[str, Callable[..., None]] = {}
        self.drops = _drops_of(provider, self._meter)
        self.drops.listen(dropped)

    def record(
        self, instrument: Instrument, value: float, attributes: Mapping[str, Any], context: Context
    ) -> None:
        record = self._records.get(instrument.name)
        if record is None:
            record = self._records[instrument.name] = self._made(instrument)
        record(value, attributes, context)

    def _made(self, one: Instrument) -> Callable[..., None]:
        if one.buckets is None:
            return self._meter.create_counter(one.name, one.unit, one.description).add
        return self._meter.create_histogram(
            one.name, one.unit, one.description, explicit_bucket_boundaries_advisory=one.buckets
        ).record


class _Drops:
    """`runspan.dropped` on one MeterProvider, for as long as that lives.

    The SDK keeps the first callback that it is given for a name and ignores later ones. So this one stays, and listens to
    one `instrument()` after the other; what the earlier ones counted is added, for a counter must not fall.
    """

    def __init__(self) -> None:
        self._counts: Counts = _nothing
        self._past: dict[str, int] = dict.fromkeys(CAUSES, 0)

    def listen(self, counts: Counts) -> None:
        if counts != self._counts:  # in a forked child it is the same one, counting anew
            self._past, self._counts = self._total(), counts

    def forget(self, counts: Counts) -> None:
        if counts == self._counts:
            self.listen(_nothing)

    def __call__(self, _: CallbackOptions) -> Iterable[Observation]:
        with guarded("observe what was dropped"):
            return [Observation(count, {measures.CAUSE: cause}) for cause, count in self._total().items()]
        return []

    def _total(self) -> dict[str, int]:
        now = self._counts()
        return {cause: self._past.get(cause, 0) + now.get(cause, 0) for cause in {**self._past, **now}}


_drops: dict[int, tuple[ref[MeterProvider], _Drops]] = {}  # by id: logfire's provider has no hash


def _drops_of(provider: MeterProvider, meter: Meter) -> _Drops:
    key = id(provider)
    weak, known = _drops.get(key, (None, None))
    if known is None or weak is None or weak() is not provider:
        known = _Drops()
        _drops[key] = ref(provider, lambda _: _drops.pop(key, None)), known
        meter.create_observable_counter(DROPPED.name, [known], DROPPED.unit, DROPPED.description)
    return known


def _nothing() -> Mapping[str, int]:
    return {}


UNMEASURED = Metrics(lambda: None, _nothing)
