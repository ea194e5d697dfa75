"""At the end of an app that the launcher started: exporters that nobody hears are ended, all others are left alone."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from runspan.exporting.launched import end_refused
from runspan.viewer.receiver import serve
from tests.support.children import PATIENCE_S, nobody

from .made import spans


@pytest.fixture(autouse=True)
def as_at_the_start() -> Iterator[None]:
    """No exporter of other tests is left, nor the filters that stay until a process ends."""
    gc.collect()
    loggers = [logging.getLogger(name) for name in list(logging.Logger.manager.loggerDict)]
    filters = [(logger, logger.filters[:]) for logger in loggers]
    yield
    for logger, before in filters:
        logger.filters[:] = before


class Odd(type):
    """A class that is asked for its module answers nonsense, and for its name raises."""

    @property
    def __module__(cls) -> Any:
        return object()

    @property
    def __name__(cls) -> str:
        raise RuntimeError


def test_an_export_that_tries_again_is_given_up_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Over gRPC, as the launcher's; the oldest exporter over HTTP does not try a refused connection again."""
    caplog.set_level(logging.WARNING)
    odd = Odd("Odd", (), {})()
    with nobody() as address:
        exporter = GrpcExporter(endpoint=address, timeout=600)
        results: list[SpanExportResult] = []
        trying = threading.Thread(target=lambda: results.append(exporter.export(spans({}))))
        trying.start()
        deadline_s = time.monotonic() + PATIENCE_S
        while "retrying" not in caplog.text:
            assert time.monotonic() < deadline_s
        end_refused()
        trying.join(PATIENCE_S)
        assert results == [SpanExportResult.FAILURE]
        assert "aborting retry" in caplog.text
        assert exporter.export(spans({})) is SpanExportResult.FAILURE
        exporter.shutdown()
    assert "already shutdown" not in caplog.text
    (said,) = [record.getMessage() for record in caplog.records if record.name == "runspan"]
    assert said.startswith(f"runspan: nobody listens at {address.removeprefix('http://')}: ")
    assert odd is not None


@pytest.mark.parametrize("kind", [GrpcExporter, HttpExporter], ids=["grpc", "http"])
def test_after_it_nothing_is_tried(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with nobody() as address:
        exporter = kind(endpoint=address, timeout=600)
        end_refused()
        assert exporter.export(spans({})) is SpanExportResult.FAILURE
        exporter.shutdown()
    (record,) = caplog.records
    assert record.name == "runspan"


def test_an_exporter_that_is_heard_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with serve() as receiver:
        exporter = HttpExporter(endpoint=f"{receiver.endpoint}/v1/traces")
        end_refused()
        assert exporter.export(spans({})) is SpanExportResult.SUCCESS
        assert len(receiver.spans) == 1
        exporter.shutdown()
    assert caplog.records == []
