"""Batches cut by size, at real receivers with real limits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

import runspan
from runspan.exporting.answers import Answer, Verdict
from runspan.exporting.batches import CUT_TO
from runspan.exporting.loss_reporting import CarefulExporter
from runspan.exporting.sending import GrpcSender, HttpSender, SendOptions, Tries
from runspan.exporting.spans import OtlpSpanExporter
from tests.support import receiver as receivers
from tests.support.app import begin_runs, canned_client
from tests.support.children import nobody
from tests.support.collector import serve_grpc
from tests.support.receiver import Limits
from tests.support.redirecting import redirecting

from . import made

OK, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
MIB = 2**20
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def over_http(endpoint: str, max_bytes: int, timeout_s: float = 5) -> OtlpSpanExporter:
    sender = HttpSender(f"{endpoint}/v1/traces", ExportTraceServiceResponse, SendOptions({}))
    return OtlpSpanExporter(Tries(sender, timeout_s), max_bytes, "Look there.")


def over_grpc(endpoint: str, max_bytes: int, timeout_s: float = 5) -> OtlpSpanExporter:
    sender = GrpcSender(endpoint, METHOD, ExportTraceServiceResponse, SendOptions({}), is_insecure=True)
    return OtlpSpanExporter(Tries(sender, timeout_s), max_bytes, "Look there.")


def large(number: int, chars: int) -> list[ReadableSpan]:
    return made.spans(*({"text": "x" * chars} for _ in range(number)))


@dataclass
class Taking:
    """A sender that gives one answer, and remembers the sizes of what came."""

    answer: Answer = field(default_factory=lambda: Answer(Verdict.TAKEN, 200))
    sizes: list[int] = field(default_factory=list)

    def post(self, body: bytes, timeout_s: float) -> Answer:
        self.sizes.append(len(body))
        return self.answer

    def forget(self) -> None: ...

    def close(self) -> None: ...

    def door(self) -> None: ...


def to(sender: Taking, max_bytes: int) -> OtlpSpanExporter:
    return OtlpSpanExporter(Tries(sender, 5), max_bytes, "")


@pytest.mark.parametrize("max_bytes", [16_384, 50_000, 200_000, 10 * MIB])
def test_every_span_goes_out_and_no_request_is_too_large(max_bytes: int) -> None:
    sender = Taking()
    exporter = to(sender, max_bytes)
    assert exporter.export(made.spans(*({"t": "ü" * (n * 37 % 9_000)} for n in range(200)))) is OK
    assert exporter.delivered == 200
    assert max(sender.sizes) <= max_bytes


def test_what_a_receiver_says_of_spans_that_it_took_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    exporter = to(Taking(Answer(Verdict.TAKEN, 200, said="use another name")), 20_000)
    with caplog.at_level(logging.WARNING, "runspan"):
        assert [exporter.export(large(1, 10)) for _ in range(3)] == [OK] * 3
    assert [r.getMessage() for r in caplog.records] == [
        "runspan: the receiver took the spans, and says: use another name (This is logged once.)"
    ]


def test_a_batch_that_fits_goes_out_as_it_is() -> None:
    sender = Taking()
    to(sender, 3_500_000).export(large(512, 100))
    assert len(sender.sizes) == 1


def test_grpc_with_its_own_limit_takes_a_batch_of_20_mb() -> None:
    with serve_grpc() as collector:
        sized = over_grpc(collector.endpoint, 3_500_000)
        assert sized.export(large(200, 100_000)) is OK
        sized.shutdown()
        assert sorted(collector.names, key=int) == [str(n) for n in range(200)]


def test_without_us_grpc_loses_that_batch_whole() -> None:
    """Why all this: what the SDK does alone. It also tries for its whole timeout."""
    with serve_grpc() as collector:
        alone = GrpcExporter(endpoint=collector.endpoint, timeout=1)
        assert alone.export(large(200, 100_000)) is FAILURE
        alone.shutdown()
        assert collector.names == []


def test_a_grpc_receiver_that_takes_less_gets_less_and_that_is_remembered() -> None:
    with serve_grpc(max_bytes=100_000) as collector:
        sized = over_grpc(collector.endpoint, 3_500_000)
        assert sized.export(large(40, 10_000)) is OK
        assert sorted(collector.names, key=int) == [str(n) for n in range(40)]
        before = len(collector.metadata)
        assert sized.export(large(40, 10_000)) is OK
        assert len(collector.metadata) - before == 5  # at once in the right size
        sized.shutdown()


def test_413_over_http_is_answered_with_halves(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "runspan")
    with receivers.serve(limits=Limits(request_bytes=100_000, decoded_bytes=100_000)) as receiver:
        sized = over_http(receiver.endpoint, 3_500_000)
        assert sized.export(large(40, 10_000)) is OK
        assert sorted((span.name for span in receiver.spans), key=int) == [str(n) for n in range(40)]
        before = len(receiver.requests)
        assert sized.export(large(40, 10_000)) is OK
        assert {request.status for request in receiver.requests[before:]} == {200}
        sized.shutdown()
    assert any("refuses" in record.getMessage() for record in caplog.records if record.name == "runspan")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_delivery_and_is_not_followed(status: int) -> None:
    """To a login page it would be a GET that succeeds; to another host, the spans with their keys."""
    with receivers.serve() as receiver, redirecting(status, f"{receiver.endpoint}/v1/traces") as address:
        sized = over_http(address, 3_500_000)
        assert sized.export(large(2, 10)) is FAILURE
        sized.shutdown()
        assert (sized.delivered, receiver.requests) == (0, ())
        assert (
            sized.cure
            == f"It answered {status}: It names another address, which is not followed. Look there."
        )


@pytest.mark.parametrize("over", [over_http, over_grpc], ids=["http", "grpc"])
def test_one_span_that_is_larger_than_the_receiver_takes_arrives_cut(
    over: Callable[[str, int], OtlpSpanExporter],
) -> None:
    small, huge = large(1, 100), made.spans({"text": "x" * 900_000, "id": "run_1"})
    limits = Limits(request_bytes=100_000, decoded_bytes=100_000)
    with receivers.serve(limits=limits) as receiver, serve_grpc(max_bytes=100_000) as collector:
        sized = over(receiver.endpoint if over is over_http else collector.endpoint, 3_500_000)
        assert sized.export([*small, *huge, *small]) is OK
        assert sized.delivered == 3
        sized.shutdown()
        if over is over_http:
            (cut,) = [span for span in receiver.spans if CUT_TO in span.attributes]
            assert cut.attributes["id"] == "run_1"
            assert str(cut.attributes["text"]).endswith("…")
        else:
            assert len(collector.names) == 3


def test_what_can_not_be_made_small_enough_is_counted_and_the_rest_arrives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hopeless = made.spans({f"{'k' * 500}{n}": n for n in range(100)})
    with receivers.serve(limits=Limits(request_bytes=30_000, decoded_bytes=30_000)) as receiver:
        sized = over_http(receiver.endpoint, 3_500_000)
        careful = CarefulExporter("there", sized)
        assert careful.export([*large(3, 1_000), *hopeless, *large(3, 1_000)]) is FAILURE
        assert (sized.delivered, careful.failed) == (6, 1)
        assert len(receiver.spans) == 6
        sized.shutdown()


@pytest.mark.parametrize(
    ("verdict", "asked", "lost"), [(Verdict.AWAY, 1, 10), (Verdict.REFUSED, 10, 10), (Verdict.TAKEN, 10, 0)]
)
def test_a_receiver_that_is_away_is_asked_once_a_batch(verdict: Verdict, asked: int, lost: int) -> None:
    sender = Taking(Answer(verdict, 200))
    careful = CarefulExporter("there", to(sender, 16_384))
    careful.export(large(10, 10_000))
    assert (len(sender.sizes), careful.failed) == (asked, lost)


def test_a_refused_part_does_not_take_the_others_with_it() -> None:
    with receivers.serve() as receiver:
        receiver.answer_with(400, times=1)
        sized = over_http(receiver.endpoint, 16_384)
        careful = CarefulExporter("there", sized)
        assert careful.export(large(10, 10_000)) is FAILURE
        assert careful.failed == 1
        assert len(receiver.spans) == 9
        assert sized.cure.startswith("It answered 400")
        sized.shutdown()


def test_nobody_there_is_a_plain_failure() -> None:
    with nobody() as endpoint:
        sized = over_http(endpoint, 3_500_000, timeout_s=0.5)
        assert sized.export(large(2, 10)) is FAILURE
        assert sized.delivered == 0
        assert sized.cure == "Nothing listens there. Look there."


def test_the_setting_is_the_size_of_requests_of_our_own_provider() -> None:
    with receivers.serve() as receiver:
        runspan.instrument(
            endpoint=receiver.endpoint, max_batch_bytes=16_384, fetch="never", exit_timeout_s=20
        )
        try:
            begin_runs(canned_client(), 60)
        finally:
            runspan.uninstrument()
        assert len(receiver.spans) == 120
        assert max(request.size for request in receiver.requests) <= 16_384
        assert len(receiver.requests) > 1
