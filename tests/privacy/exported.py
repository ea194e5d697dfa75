"""Everything that leaves the process, as bytes: spans, log records and metrics as real OTLP, the console, our own log lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
from opentelemetry import _logs, metrics
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from runspan.config import Config
from tests.privacy import talkative
from tests.support.playing import playing, spans_of_app_go_to
from tests.support.tracing import Traced, traced


@dataclass
class Exported:
    """What one play of the app gave, by the way it left."""

    spans: bytes = b""
    logs: bytes = b""
    metrics: bytes = b""
    console: bytes = b""
    own_lines: bytes = b""  # of our loggers, at DEBUG
    places: Mapping[str, str] = field(
        default_factory=dict
    )  # "number name: key" -> value, of spans and records

    @property
    def everything(self) -> bytes:
        return b"\n".join((self.spans, self.logs, self.metrics, self.console, self.own_lines))


class Records:
    """A log record processor that keeps what it gets, under the SDK's old and new name of its method."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def on_emit(self, data: Any) -> None:
        self.kept.append(data)

    emit = on_emit

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


class Signals:
    """The app's own LoggerProvider and MeterProvider."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, has_logs: bool) -> None:
        self.records = Records()
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: self.meters)
        if has_logs:
            logs = sdk_logs.LoggerProvider(shutdown_on_exit=False)
            logs.add_log_record_processor(self.records)  # type: ignore[arg-type]
            monkeypatch.setattr(_logs, "get_logger_provider", lambda: logs)

    @property
    def options(self) -> dict[str, Any]:
        known = {f.name for f in fields(Config)}
        return {"meter_provider": self.meters} if "meter_provider" in known else {}

    def encoded_metrics(self) -> bytes:
        data = self.reader.get_metrics_data()
        return encode_metrics(data).SerializeToString() if data is not None else b""

    def encoded_logs(self) -> bytes:
        return encode_logs(self.records.kept).SerializeToString() if self.records.kept else b""


@contextmanager
def own_lines() -> Iterator[list[str]]:
    """What our loggers say, at DEBUG, formatted with its tracebacks."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter("%(name)s %(message)s").format(record))

    handler, logger = Keep(), logging.getLogger("runspan")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


def exported(
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *,
    has_logs: bool = True,
    **options: Any,
) -> Exported:
    """Play the talkative app and gather what it let out."""
    signals = Signals(monkeypatch, has_logs=has_logs)
    with (
        own_lines() as lines,
        playing(kind, talkative.SCENARIO, **talkative.client_options(kind)) as app,
        traced(console=True, **{**signals.options, **options}) as trace,
        spans_of_app_go_to(trace.provider),
    ):
        app.play(talkative.say_everything)
        trace.handle.uninstrument()
        spans = trace.exporter.get_finished_spans()
        shown = capfd.readouterr()
        return Exported(
            spans=encode_spans(spans).SerializeToString(),
            logs=signals.encoded_logs(),
            metrics=signals.encoded_metrics(),
            console=(shown.out + shown.err).encode(),
            own_lines="\n".join(lines).encode(),
            places={**dict(_places(trace)), **dict(_log_places(signals.records.kept))},
        )


def _log_places(records: list[Any]) -> Iterator[tuple[str, str]]:
    for n, record in enumerate(data.log_record for data in records):
        for key, value in (record.attributes or {}).items():
            yield f"{n} {record.event_name}: {key}", str(value)


def _places(trace: Traced) -> Iterator[tuple[str, str]]:
    for n, span in enumerate(trace.exporter.get_finished_spans()):
        at = f"{n} {(span.attributes or {}).get('gen_ai.operation.name') or span.name}"
        yield f"{at}: name", span.name
        yield f"{at}: status", span.status.description or ""
        for key, value in (span.attributes or {}).items():
            yield f"{at}: {key}", str(value)
        for event in span.events:
            for key, value in (event.attributes or {}).items():
                yield f"{at}: {event.name}.{key}", str(value)
