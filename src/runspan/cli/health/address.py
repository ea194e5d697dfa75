"""Where traces go, and who answers there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

from ...config import Config, ConfigError, host_of
from ...exporting import otlp
from ...exporting.answers import Answers, http_session
from ..finding import Finding, bad, note, ok, warn
from ..target import Target, protocol, sends_otlp, target

TIMEOUT_S = 3.0
START = (
    "Start `runspan ui` (or a Collector, Jaeger ...), or name another address in OTEL_EXPORTER_OTLP_ENDPOINT."
)


def findings(config: Config) -> Iterator[Finding]:
    if config.file is not None:
        yield note("address", f"traces are written to the file {config.file}")
    if not sends_otlp(config):
        return
    try:
        to = target(config)
        over = protocol(config)
    except ConfigError as error:
        yield bad("address", str(error))
        return
    shown = host_of(to.url) or "?"
    try:
        _connect(to.url, over)
    except (OSError, ValueError) as error:
        yield bad("address", f"traces go to {shown}, and {_reason(error)}", START)
        return
    yield from _swapped(shown, to.url, over)
    if over == otlp.HTTP:
        yield _asked(to, shown)
    else:
        yield ok("address", f"traces go to {shown} over gRPC, and it takes connections")


def _connect(url: str, over: str) -> None:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    usual = 4317 if over == otlp.GRPC else 443 if parts.scheme == "https" else 80
    socket.create_connection((parts.hostname or "", parts.port or usual), timeout=TIMEOUT_S).close()


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, TimeoutError):
        return f"it did not answer within {TIMEOUT_S:g} s"
    if isinstance(error, socket.gaierror):
        return "there is no host of that name"
    return str(error) or type(error).__name__


def _swapped(shown: str, url: str, over: str) -> Iterator[Finding]:
    wrong = {otlp.HTTP: 4317, otlp.GRPC: 4318}[over]
    if urlsplit(url).port == wrong:
        other = otlp.GRPC if over == otlp.HTTP else otlp.HTTP
        yield warn(
            "address",
            f"{shown} is the usual port of {other}, but {over} is spoken",
            f"Set OTEL_EXPORTER_OTLP_PROTOCOL={other}, or use the other port.",
        )


def _asked(to: Target, shown: str) -> Finding:
    """An export of nothing, which every receiver takes."""
    session = http_session(Answers(), ())
    try:
        headers = {**to.headers, "Content-Type": "application/x-protobuf"}
        answer = session.post(to.url, data=b"", headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        reason = "it takes connections, but does not answer HTTP"
        return bad("address", f"traces go to {shown}, and {reason} ({type(error).__name__})", START)
    finally:
        session.close()
    status, said = answer.status_code, " ".join(answer.text[:200].split())
    who = "a runspan viewer" if answer.headers.get("Server") == "runspan" else "an OTLP receiver"
    if status == 200:
        return ok("address", f"traces go to {shown}, where {who} answers")
    text = f"traces go to {shown}, which answers {status} {answer.reason}: {said}".rstrip(": ")
    return (
        bad("address", text, CURES.get(status, "Is that an OTLP/HTTP receiver?"))
        if status in CURES
        else warn("address", text)
    )


CURES = {
    401: "The keys are missing or wrong: see OTEL_EXPORTER_OTLP_HEADERS, or the variables of the backend.",
    403: "The keys are not allowed to write there, or the receiver knows itself by another host name.",
    404: "That is no OTLP/HTTP receiver, or its path is another: /v1/traces is added to OTEL_EXPORTER_OTLP_ENDPOINT.",
    405: "That is no OTLP/HTTP receiver, or its path is another: /v1/traces is added to OTEL_EXPORTER_OTLP_ENDPOINT.",
    415: "It does not take protobuf, which is what exporters of Python send.",
}
