"""Where our own metrics go, and the exporter that complains once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from ..config import Config, host_of
from . import otlp, variables
from .address import DEFAULTS, HTTP, endpoint_url, headers_of, protocol
from .answers import Answer, Verdict
from .loss_reporting import ComplainsOnce, is_known_to_refuse, refuses
from .sending import Tries

ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
CURE = (
    "Set OTEL_EXPORTER_OTLP_METRICS_ENDPOINT to another address, or OTEL_METRICS_EXPORTER=none to send none."
)


def wanted() -> Sequence[str]:
    """Names in `OTEL_METRICS_EXPORTER`; where it is not set, an endpoint of the metrics' own asks for `otlp`."""
    if not os.environ.get("OTEL_METRICS_EXPORTER", "").strip():
        return ("otlp",) if os.environ.get(ENDPOINT) else ()
    return [name for name in variables.names("OTEL_METRICS_EXPORTER") if name != "none"]


def exporter(config: Config) -> CarefulMetricExporter:
    """Over HTTP or gRPC. Raises ConfigError for what is not known.

    Options are for the address in the options: an endpoint of the metrics' own gets no headers of theirs, and what a preset
    says is for its backend, which takes traces.
    """
    over = protocol("METRICS")
    own: Mapping[str, str] = {}
    endpoint = None
    if config.backend is None and not os.environ.get(ENDPOINT):
        own, endpoint = config.headers or {}, config.endpoint
    url = endpoint_url(endpoint, over, "METRICS")
    tries = otlp.way("METRICS", over, url, headers_of(own, "METRICS", over))()
    return CarefulMetricExporter(host_of(url) or url, OwnMetricExporter(tries))


class OwnMetricExporter(OTLPMetricExporter):
    """The SDK's, for what it asks of instruments (temporality, aggregation); what is sent goes our way, and answers are read."""

    def __init__(self, tries: Tries) -> None:
        # All that it would read from the variables itself, and does not use.
        super().__init__(
            DEFAULTS[HTTP],
            headers={},
            timeout=1,
            compression=Compression.NoCompression,
            session=requests.Session(),
        )
        self.problem: Answer | None = None
        self.tries = tries

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **_: Any
    ) -> MetricExportResult:
        answer = self.tries.send(encode_metrics(metrics_data).SerializeToString())
        is_whole = answer.verdict is Verdict.TAKEN and not answer.rejected
        self.problem = None if is_whole else answer
        return MetricExportResult.SUCCESS if is_whole else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        self.tries.stop()
        self.tries.sender.close()


class CarefulMetricExporter(ComplainsOnce):
    """Counts are cumulative: what fails now, the next export brings."""

    def __init__(self, where: str, inner: Any) -> None:
        super().__init__(where, inner)
        self.is_muted = False  # in a forked child: these counts are the parent's

    def __getattr__(self, name: str) -> Any:
        """What the SDK's reader asks of an exporter besides, such as its temporality; None: the SDK's default."""
        return getattr(self.inner, name, None) if name.startswith("_") else getattr(self.inner, name)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any
    ) -> MetricExportResult:
        if self.is_muted:
            return MetricExportResult.SUCCESS
        result = self._tried(MetricExportResult.FAILURE, metrics_data, timeout_millis)
        if result is MetricExportResult.SUCCESS:
            self._is_failing = False
        else:
            self.complain(getattr(self.inner, "problem", None))
        return result

    def is_refused(self) -> bool:
        """Whether nothing listens there; it is said once."""
        is_refused = refuses(self._door())
        if is_refused:
            self.complain(None)
        return is_refused

    def may_be_heard(self) -> bool:
        """False: nothing listens there, as far as that is known at once."""
        return not is_known_to_refuse(self._door())

    def complain(self, problem: Answer | None) -> None:
        self.failed += 1
        self._complain("metrics", CURE if problem is None else problem.with_cure(CURE))

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self.is_muted or bool(self.inner.force_flush(timeout_millis))

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        if not self.is_muted:
            self.inner.shutdown(timeout_millis)
