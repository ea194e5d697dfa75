"""OTLP metrics as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from runspan.viewer.decode import attributes
from runspan.viewer.spans import Attributes


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value of a metric. Distributions have `count` and perhaps `sum` instead of `value`."""

    attributes: Attributes
    time_ns: int
    value: int | float | None = None
    count: int | None = None
    sum: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one export, with its points."""

    name: str
    unit: str
    description: str
    kind: str  # gauge, sum, histogram, exponential_histogram, summary; "" when the sender gave no data
    points: tuple[Point, ...]
    resource: Attributes
    scope: str


def metrics_of(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    for resource_metrics in request.resource_metrics:
        resource = attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data") or ""
                points = getattr(metric, kind).data_points if kind else ()
                yield Metric(
                    name=metric.name,
                    unit=metric.unit,
                    description=metric.description,
                    kind=kind,
                    points=tuple(map(_point, points)),
                    resource=resource,
                    scope=scope_metrics.scope.name,
                )


def _point(point: Any) -> Point:
    labels, time_ns = attributes(point.attributes), point.time_unix_nano
    if hasattr(point, "count"):
        has_sum = "sum" not in OPTIONAL_SUM.get(point.DESCRIPTOR.name, ()) or point.HasField("sum")
        return Point(labels, time_ns, count=point.count, sum=point.sum if has_sum else None)
    kind = point.WhichOneof("value")
    return Point(labels, time_ns, value=getattr(point, kind) if kind else None)


# A summary's sum is always there; a histogram's may be absent (opentelemetry/proto/metrics/v1/metrics.proto).
OPTIONAL_SUM: Mapping[str, tuple[str, ...]] = {
    "HistogramDataPoint": ("sum",),
    "ExponentialHistogramDataPoint": ("sum",),
}
