"""An export of nothing, which every receiver takes: who answers, and how. Over the protocol that the exporter uses."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from ...exporting.address import GRPC, Address
from ...exporting.answers import CURES, NO_ANSWER, NO_HOST, NOBODY, words
from ...exporting.sending import HttpSender, SendOptions, reason, reply
from ...exporting.variables import of_otlp, trust

TIMEOUT_S = 3.0
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PAGE = "x-runspan-viewer"  # metadata of our viewer's answers over gRPC


@dataclass(frozen=True, slots=True)
class Answer:
    """`status`: of HTTP, or the name of gRPC's. `page`: the address of our viewer's pages, where one answers."""

    status: int | str
    said: str
    page: str | None = None

    @property
    def is_taken(self) -> bool:
        return self.status in (200, "OK")


class NoAnswerError(Exception):
    """The message says why, as the end of a sentence; `cure`: what to change, if more is known than that nobody is there."""

    def __init__(self, message: str, said: str | None = None) -> None:
        super().__init__(message)
        self.cure = CURES.get(said or message)


def asked(to: Address, timeout_s: float = TIMEOUT_S) -> Answer:
    """Raises NoAnswerError."""
    try:
        socket.create_connection(to.host_port, timeout=timeout_s).close()
    except (OSError, ValueError) as error:
        raise NoAnswerError(_reason(error)) from None
    return (_over_grpc if to.protocol == GRPC else _over_http)(to, timeout_s)


def _reason(error: Exception) -> str:
    kinds: dict[type[Exception], str] = {
        ConnectionRefusedError: NOBODY,
        TimeoutError: NO_ANSWER,
        socket.gaierror: NO_HOST,
    }
    return kinds.get(type(error), str(error) or type(error).__name__)


def _over_http(to: Address, timeout_s: float) -> Answer:
    import requests

    sender = HttpSender(to.url, None, SendOptions(to.headers, **trust()))
    try:
        answer = sender.answer(b"", timeout_s)
        text = words(reply(answer, time.monotonic() + timeout_s))
    except requests.RequestException as error:
        said = reason(error)
        raise NoAnswerError(f"it takes connections, but does not answer HTTP ({said})", said) from None
    finally:
        sender.close()
    said = " ".join(f"{answer.reason}: {text[:200]}".split()).rstrip(": ")
    is_ours = answer.headers.get("Server") == "runspan"
    return Answer(answer.status_code, said, to.url.removesuffix("/v1/traces") if is_ours else None)


def _over_grpc(to: Address, timeout_s: float) -> Answer:
    import grpc  # type: ignore[import-untyped]

    target = ":".join(map(str, to.host_port)) if "://" in to.url else to.url
    channel = grpc.secure_channel(target, _credentials()) if to.is_secure else grpc.insecure_channel(target)
    with channel:
        call = channel.unary_unary(EXPORT).future(b"", timeout=timeout_s, metadata=tuple(to.headers.items()))
        code = call.code()
        said = " ".join(f"{call.details() or ''}"[:200].split())
        page = dict(call.initial_metadata() or ()).get(PAGE)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) and page is None:
        over = "gRPC over TLS" if to.is_secure else "gRPC"
        raise NoAnswerError(f"it takes connections, but does not answer {over} ({said})")
    return Answer(code.name, said, page)


def _credentials() -> object:
    """As the SDK's exporter makes them: of the files that the variables name."""
    import grpc

    def read(name: str) -> bytes | None:
        path = of_otlp(name)[1]
        return Path(path).read_bytes() if path and os.path.isfile(path) else None

    if not (root := read("CERTIFICATE")):
        return grpc.ssl_channel_credentials()
    return grpc.ssl_channel_credentials(root, read("CLIENT_KEY"), read("CLIENT_CERTIFICATE"))
