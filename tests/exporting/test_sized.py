"""Batches cut by size, at real receivers with real limits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

import runspan
from runspan.exporting import answers as receiver_side
from runspan.exporting import sizes
from runspan.exporting.answers import Answers
from runspan.exporting.sized import Sized
from runspan.providers import CarefulExporter
from runspan.viewer import receiver as receivers
from runspan.viewer.receiver import Limits
from tests.support.app import begin_runs, canned_client
from tests.support.children import nobody
from tests.support.collector import serve_grpc
from tests.support.redirecting import redirecting

from . import made

OK, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
MIB = 2**20


def over_http(endpoint: str, max_bytes: int) -> Sized:
    answers = Answers()
    session = receiver_side.http_session(answers, ())
    exporter = HttpExporter(endpoint=f"{endpoint}/v1/traces", session=session, timeout=5)
    return Sized(exporter, max_bytes, answers, "Look there.")


def over_grpc(endpoint: str, max_bytes: int) -> Sized:
    answers = Answers()
    exporter = GrpcExporter(endpoint=endpoint, timeout=5)
    receiver_side.listen_to_grpc(exporter, answers)
    return Sized(exporter, max_bytes, answers, "Look there.")


def large(number: int, chars: int) -> list[ReadableSpan]:
    return made.spans(*({"text": "x" * chars} for _ in range(number)))


def names(spans: Sequence[ReadableSpan]) -> list[str]:
    return [span.name for span in spans]


class Taking(SpanExporter):
    """Takes what is not larger than it likes, and remembers the sizes."""

    def __init__(self) -> None:
        self.batches: list[list[ReadableSpan]] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches.append(list(spans))
        return OK


@pytest.mark.parametrize("max_bytes", [16_384, 50_000, 200_000, 10 * MIB])
def test_every_span_goes_out_once_in_order_and_no_batch_is_too_large(max_bytes: int) -> None:
    spans = made.spans(*({"t": "ü" * (n * 37 % 9_000)} for n in range(200)))
    inner = Taking()
    sized = Sized(inner, max_bytes, Answers(), "")
    assert sized.export(spans) is OK
    assert sized.delivered == 200
    assert [name for batch in inner.batches for name in names(batch)] == names(spans)
    assert all(sizes.encoded(batch) <= max_bytes for batch in inner.batches)


def test_a_batch_that_fits_goes_out_as_it_is() -> None:
    inner = Taking()
    Sized(inner, 3_500_000, Answers(), "").export(large(512, 100))
    assert [len(batch) for batch in inner.batches] == [512]


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
        assert sized.cure == f"It answered {status}. Look there."


@pytest.mark.parametrize("over", [over_http, over_grpc], ids=["http", "grpc"])
def test_one_span_that_is_larger_than_the_receiver_takes_arrives_cut(
    over: Callable[[str, int], Sized],
) -> None:
    small, huge = large(1, 100), made.spans({"text": "x" * 900_000, "id": "run_1"})
    limits = Limits(request_bytes=100_000, decoded_bytes=100_000)
    with receivers.serve(limits=limits) as receiver, serve_grpc(max_bytes=100_000) as collector:
        sized = over(receiver.endpoint if over is over_http else collector.endpoint, 3_500_000)
        assert sized.export([*small, *huge, *small]) is OK
        assert sized.delivered == 3
        sized.shutdown()
        if over is over_http:
            (cut,) = [span for span in receiver.spans if sizes.CUT_TO in span.attributes]
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


def test_a_receiver_that_is_away_is_asked_once_a_batch() -> None:
    class Away(SpanExporter):
        asked = 0

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            self.asked += 1
            return FAILURE

    away = Away()
    sized = Sized(away, 16_384, Answers(), "")
    careful = CarefulExporter("there", sized)
    assert careful.export(large(10, 10_000)) is FAILURE
    assert (away.asked, careful.failed) == (1, 10)


def test_a_refused_part_does_not_take_the_others_with_it() -> None:
    with receivers.serve() as receiver:
        receiver.answer_with(400, times=1)
        sized = over_http(receiver.endpoint, 16_384)
        careful = CarefulExporter("there", sized)
        assert careful.export(large(10, 10_000)) is FAILURE
        assert careful.failed == 1
        assert len(receiver.spans) == 9
        assert "It answered" not in "".join(sized.cure.split("It answered 200")[:1])
        sized.shutdown()


@pytest.mark.parametrize(
    ("code", "details", "is_too_large"),
    [
        ("RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)", True),
        ("RESOURCE_EXHAUSTED", "grpc: received message larger than max (5 vs. 4)", True),
        ("RESOURCE_EXHAUSTED", "memory limit reached", False),
        ("UNKNOWN", "Received http2 header with status: 413", True),
        ("UNAVAILABLE", "failed to connect to ipv4:127.0.0.1:41300", False),
    ],
)
def test_what_grpc_says_of_a_message_that_is_too_large(code: str, details: str, is_too_large: bool) -> None:
    error = RuntimeError()
    error.code = lambda: SimpleNamespace(name=code)  # type: ignore[attr-defined]
    error.details = lambda: details  # type: ignore[attr-defined]

    def refuse() -> None:
        raise error

    exporter = SimpleNamespace(_client=SimpleNamespace(Export=refuse))
    answers = Answers()
    receiver_side.listen_to_grpc(exporter, answers)
    with pytest.raises(receiver_side.TooLargeError if is_too_large else RuntimeError):
        exporter._client.Export()
    assert answers.is_too_large is is_too_large


@pytest.mark.parametrize(
    ("status", "content", "is_too_large"),
    [
        (413, b"", True),
        (400, b"\x08\x03\x12\x1dhttp: request body too large", True),  # the Collector's, a google.rpc.Status
        (400, b"\x08\x03\x12\x0eproto: no field", False),
        (503, b"http: request body too large", False),
        (200, b"", False),
    ],
)
def test_what_http_says_of_a_body_that_is_too_large(status: int, content: bytes, is_too_large: bool) -> None:
    answers = Answers()
    answers.heard(SimpleNamespace(status_code=status, content=content))
    assert answers.is_too_large is is_too_large


def test_an_exporter_whose_inside_is_another_is_left_as_it_is() -> None:
    plain = Taking()
    receiver_side.listen_to_grpc(plain, Answers())
    assert plain.export(large(1, 1)) is OK


def test_nobody_there_is_a_plain_failure() -> None:
    with nobody() as endpoint:
        sized = over_http(endpoint, 3_500_000)
        sized.inner.shutdown()
        assert sized.export(large(2, 10)) is FAILURE
        assert sized.delivered == 0
        assert sized.cure == "Look there."


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
