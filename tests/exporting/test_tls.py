"""Over TLS: whom an exporter trusts is what the variables of OTLP say, whatever stands in the variables of `requests`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from runspan.exporting.answers import NO_TLS, Verdict
from runspan.exporting.sending import HttpSender, SendOptions
from tests.support.tls import certificate, serve_tls

OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    with serve_tls(tmp_path) as running:
        yield running


@pytest.mark.parametrize("variable", [None, *OF_REQUESTS])
def test_the_certificate_that_is_named_for_otlp_is_trusted(
    variable: str | None, receiver: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OF_REQUESTS:
        monkeypatch.delenv(name, raising=False)
    if variable is not None:  # as companies set it for all that goes out
        monkeypatch.setenv(variable, str(certificate(tmp_path / "another")))
    url, own = receiver
    sender = HttpSender(url, ExportTraceServiceResponse, SendOptions({}, trusted=str(own)))
    assert sender.post(b"", 10.0).verdict is Verdict.TAKEN
    sender.close()


def test_without_one_those_of_requests_count(
    receiver: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, own = receiver
    for trusted, is_taken in ((own, True), (certificate(tmp_path / "another"), False)):
        for name in OF_REQUESTS:
            monkeypatch.setenv(name, str(trusted))
        sender = HttpSender(url, ExportTraceServiceResponse, SendOptions({}))
        answer = sender.post(b"", 10.0)
        assert (answer.verdict is Verdict.TAKEN) is is_taken
        assert is_taken or answer.said == NO_TLS
        sender.close()
