"""Where our own metrics go, and the exporter that complains once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from ..config import Config, host_of
from ..guard import logger
from . import careful, otlp
from .answers import Answers, http_session

ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"


def wanted() -> Sequence[str]:
    """Names in `OTEL_METRICS_EXPORTER`; where it is not set, an endpoint of the metrics' own asks for `otlp`."""
    said = os.environ.get("OTEL_METRICS_EXPORTER", "").strip()
    if not said:
        return ("otlp",) if os.environ.get(ENDPOINT) else ()
    return [name for part in said.split(",") if (name := part.strip()) not in ("", "none")]


def exporter(config: Config) -> CarefulMetricExporter:
    """Over HTTP or gRPC. Raises ConfigError for what is not known.

    Options are for the address in the options: an endpoint of the metrics' own gets no headers of theirs, and what a preset
    says is for its backend, which takes traces.
    """
    over = otlp.protocol("METRICS")
    is_http = over == otlp.HTTP
    options: dict[str, Any] = {}
    if config.backend is None and not os.environ.get(ENDPOINT):
        if config.headers:  # gRPC takes lower-case names only, HTTP any
            options["headers"] = {name.lower(): value for name, value in config.headers.items()}
        if config.endpoint is not None:
            base = config.endpoint.rstrip("/").removesuffix("/v1/traces")
            options["endpoint"] = f"{base}/v1/metrics" if is_http else config.endpoint
    endpoint = options.get("endpoint") or otlp.variable("ENDPOINT", "METRICS")[1] or otlp.DEFAULTS[over]
    answers = Answers()
    if is_http and not otlp.has_credential_provider():
        options["session"] = http_session(answers, ())
    make = otlp.loaded(otlp.REGISTERED[over], "METRICS")
    return CarefulMetricExporter(host_of(endpoint) or "the OTLP endpoint", make(**options), answers)


class CarefulMetricExporter(MetricExporter):
    """Lets an exporter complain once, not at each export. Counts are cumulative: what fails now, the next export brings."""

    def __init__(self, where: str, inner: MetricExporter, answers: Answers | None = None) -> None:
        super().__init__(inner._preferred_temporality, inner._preferred_aggregation)
        self.where = where
        self.failed = 0
        self.is_muted = False  # in a forked child: these counts are the parent's
        self._inner = inner
        self._answers = answers or Answers()
        self._is_failing = False
        careful.quiet(inner)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any
    ) -> MetricExportResult:
        if self.is_muted:
            return MetricExportResult.SUCCESS
        careful.at_work.active = True
        self._answers.clear()
        try:
            result = self._inner.export(metrics_data, timeout_millis)
        except Exception:
            result = MetricExportResult.FAILURE
        finally:
            careful.at_work.active = False
        if self._answers.is_redirect:
            result = MetricExportResult.FAILURE
        if result is MetricExportResult.SUCCESS:
            self._is_failing = False
        else:
            self.complain()
        return result

    def is_refused(self) -> bool:
        """Whether nobody listens there; it is said once."""
        is_refused = careful.refuses(self.where)
        if is_refused:
            self.complain()
        return is_refused

    def complain(self) -> None:
        self.failed += 1
        if not self._is_failing:
            self._is_failing = True
            logger.warning(
                "runspan: %s does not take metrics. OTEL_EXPORTER_OTLP_METRICS_ENDPOINT names another address, "
                "OTEL_METRICS_EXPORTER=none sends none. Said once until it works again.",
                self.where,
            )

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self.is_muted or self._inner.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **more: Any) -> None:
        if not self.is_muted:
            self._inner.shutdown(timeout_millis)
