"""The log line about spans that were not taken says what to change, by what was answered."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

import runspan
from runspan.exporting.answers import ITS_LOG, NOBODY, START, Answer, Reply, Verdict, cure_of, words
from tests.support.children import black_hole
from tests.support.fixtures import receiver
from tests.support.receiver import Receiver

__all__ = ["receiver"]


@pytest.fixture(autouse=True)
def short_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")


def line(endpoint: str, caplog: pytest.LogCaptureFixture) -> str:
    runspan.instrument(endpoint=endpoint)
    with runspan.span("x"):
        pass
    assert runspan.flush(20) is False
    runspan.uninstrument()
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "Start a receiver" not in warning
    return warning


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (401, "The keys are missing or wrong: see OTEL_EXPORTER_OTLP_HEADERS"),
        (403, "The keys are not allowed to write there"),
        (404, "runspan adds /v1/traces"),
        (415, "It does not take protobuf"),
        *((status, "A receiver is there: its own log says more.") for status in (400, 413, 429, 500, 503)),
    ],
)
def test_a_receiver_that_refuses(
    status: int, cure: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer_with(status)
    warning = line(receiver.endpoint, caplog)
    assert f"It answered {status}" in warning
    assert cure in warning


@pytest.mark.parametrize("status", ["RESOURCE_EXHAUSTED", "INTERNAL", 200])
def test_where_anything_answered_nobody_is_told_to_start_a_receiver(status: int | str) -> None:
    """200: it took some of them."""
    assert cure_of(Answer(Verdict.REFUSED, status)) == ITS_LOG


@pytest.mark.parametrize(("status", "said"), [("UNAVAILABLE", "no answer in time"), (None, NOBODY)])
def test_where_nobody_answered_one_is_to_be_started(status: str | None, said: str) -> None:
    assert cure_of(Answer(Verdict.AGAIN, status, said=said)) == START


def test_https_where_there_is_no_tls(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    warning = line(receiver.endpoint.replace("http://", "https://"), caplog)
    assert "It speaks no TLS, or its certificate is not trusted. Begin the address with http://" in warning


def test_a_receiver_that_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    with black_hole() as address:
        warning = line(address, caplog)
    assert "No answer in time. Check that a receiver runs there, for example `runspan ui`" in warning


def test_a_process_that_ends_before_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    with black_hole() as address:
        runspan.instrument(endpoint=address)
        with runspan.span("x"):
            pass
        assert runspan.shutdown(0.2) is False
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "No answer in time. Check that" in warning


def test_a_host_that_is_not_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    warning = line("http://nohost:4318", caplog)
    assert "There is no host of that name. Look for a typing error in the address" in warning


@pytest.mark.parametrize(
    ("content_type", "content", "said"),
    [
        ("application/x-protobuf", Status(code=16, message="no token").SerializeToString(), "no token"),
        ("application/x-protobuf", b"\xff\xff", ""),
        ("text/plain", b"no token", "no token"),
        ("text/html", b"<h1>no token</h1>", ""),
    ],
)
def test_the_words_of_a_failure(content_type: str, content: bytes, said: str) -> None:
    assert words(Reply(401, {"Content-Type": content_type}, content)) == said
