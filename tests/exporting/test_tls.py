"""Over TLS: whom an exporter trusts is what the variables of OTLP say, whatever stands in the variables of `requests`."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from runspan.exporting.answers import NO_TLS, Verdict
from runspan.exporting.sending import HttpSender

OPENSSL = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
)
OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def certificate(folder: Path) -> Path:
    folder.mkdir()
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    more = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*OPENSSL.split(), *more, *files], check=True, capture_output=True)
    return folder / "cert.pem"


class Empty(http.server.BaseHTTPRequestHandler):
    """A receiver that takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(URL, the certificate that it shows)."""
    own = certificate(tmp_path / "own")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, own.with_name("key.pem"))
    with http.server.ThreadingHTTPServer(("localhost", 0), Empty) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}/v1/traces", own
        server.shutdown()


@pytest.mark.parametrize("variable", [None, *OF_REQUESTS])
def test_the_certificate_that_is_named_for_otlp_is_trusted(
    variable: str | None, receiver: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OF_REQUESTS:
        monkeypatch.delenv(name, raising=False)
    if variable is not None:  # as companies set it for all that goes out
        monkeypatch.setenv(variable, str(certificate(tmp_path / "another")))
    url, own = receiver
    sender = HttpSender(url, ExportTraceServiceResponse, headers={}, trusted=str(own))
    assert sender.post(b"", 10.0).verdict is Verdict.TAKEN
    sender.close()


def test_without_one_those_of_requests_count(
    receiver: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, own = receiver
    for trusted, is_taken in ((own, True), (certificate(tmp_path / "another"), False)):
        for name in OF_REQUESTS:
            monkeypatch.setenv(name, str(trusted))
        sender = HttpSender(url, ExportTraceServiceResponse, headers={})
        answer = sender.post(b"", 10.0)
        assert (answer.verdict is Verdict.TAKEN) is is_taken
        assert is_taken or answer.said == NO_TLS
        sender.close()
