"""Metrics in memory, as tests read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

Series = Mapping[frozenset[tuple[str, Any]], Any]


class Measured:
    """A MeterProvider with everything that was recorded through it."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def metrics(self) -> Mapping[str, Any]:
        """Name -> metric, as of now."""
        data = self.reader.get_metrics_data()
        found = data.resource_metrics if data is not None else []
        return {m.name: m for resource in found for scope in resource.scope_metrics for m in scope.metrics}

    def points(self, name: str) -> list[Any]:
        metric = self.metrics().get(name)
        return list(metric.data.data_points) if metric is not None else []

    def counts(self, name: str, key: str) -> dict[Any, float]:
        """Value of one attribute -> sum of a counter, or number of records of a histogram."""
        found: dict[Any, float] = {}
        for point in self.points(name):
            value = point.attributes.get(key)
            found[value] = found.get(value, 0) + (point.count if hasattr(point, "count") else point.value)
        return found

    def dropped(self) -> dict[str, float]:
        """By cause, where there is anything."""
        return {cause: n for cause, n in self.counts("runspan.dropped", "runspan.cause").items() if n}
