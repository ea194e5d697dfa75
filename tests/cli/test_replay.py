"""`runspan replay`: every span arrives once as protobuf, and what does not is counted and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from runspan.cli.group import cli
from runspan.cli.resend import Sender, with_resource
from runspan.exporting.batches import batches, count
from tests.support.children import nobody
from tests.support.receiver import Receiver
from tests.support.tls import serve_tls
from tests.viewer.runs import a_run
from tests.viewer.wire import export

from .conftest import Command
from .saved import three_runs


def replay(*arguments: object, **env: str) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)], env=env)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return three_runs(tmp_path / "traces.jsonl")


def test_a_file_arrives_whole_as_protobuf(file: Path, receiver: Receiver) -> None:
    done = replay(file, "--endpoint", receiver.endpoint)
    assert done.exit_code == 0
    assert done.stdout == f"12 spans delivered, in 1 request, to 127.0.0.1:{receiver.port}\n"
    expected = [span for number in (0xA1, 0xB2, 0xA3) for span in a_run(number)]
    assert [(s.trace_id, s.span_id, s.name) for s in receiver.spans] == [
        (s.trace_id, s.span_id, s.name) for s in expected
    ]
    assert {s.resource["service.name"] for s in receiver.spans} == {"math-tutor"}
    assert {request.headers["content-type"] for request in receiver.requests} == {"application/x-protobuf"}


def test_over_tls_it_trusts_what_the_exporter_trusts(file: Path, tmp_path: Path) -> None:
    with serve_tls(tmp_path) as (endpoint, certificate):
        assert replay(file, "--endpoint", endpoint).exit_code == 1
        done = replay(file, "--endpoint", endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate))
        assert (done.exit_code, done.stdout.partition(",")[0]) == (0, "12 spans delivered")
        done = replay(file, "--endpoint", endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path / "none.pem"))
        assert done.exit_code == 2
        assert "name a file of PEM certificates" in done.stderr


def test_what_a_run_wrote_is_sent_on(command: Command, receiver: Receiver) -> None:
    """The real file of a real run."""
    from runspan.fake import serve
    from tests.cli.test_run import SCRIPT

    with serve("text") as server:
        assert command("run", "--file", "x.jsonl", SCRIPT, APP_SERVER=server.base_url).returncode == 0
    done = command("replay", "x.jsonl", "--json", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["delivered"] == len(receiver.spans) >= 2
    assert (told["rejected"], told["failed"], told["problems"]) == (0, 0, [])


def test_headers_come_from_options_or_variables(file: Path, receiver: Receiver) -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=of%20variables"}
    replay(file, "--endpoint", receiver.endpoint, "--header", "X-Key=a=b", **env)
    assert receiver.requests[-1].headers["x-key"] == "a=b"
    replay(file, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, **env)
    assert receiver.requests[-1].headers["x-key"] == "of variables"
    replay(file, "--endpoint", receiver.endpoint, **env)
    assert "x-key" not in receiver.requests[-1].headers  # they belong to another address


def test_a_preset_gives_address_keys_and_project(file: Path, receiver: Receiver) -> None:
    env = {
        "PHOENIX_COLLECTOR_ENDPOINT": receiver.endpoint,
        "PHOENIX_API_KEY": "sesame",
        "PHOENIX_PROJECT_NAME": "weather",
    }
    done = replay(file, "--backend", "phoenix", **env)
    assert done.exit_code == 0, done.output
    assert receiver.requests[-1].headers["authorization"] == "Bearer sesame"
    assert {span.resource["openinference.project.name"] for span in receiver.spans} == {"weather"}
    assert replay(file, "--backend", "mlflow").exit_code == 2


def test_a_receiver_that_is_busy_is_asked_again(receiver: Receiver) -> None:
    pauses: list[float] = []
    sender = Sender(f"{receiver.endpoint}/v1/traces", {}, pause=pauses.append)
    receiver.answer_with(503, retry_after_s=7, times=2)
    sender.send(ExportTraceServiceRequest.FromString(export(*a_run(1))))
    sender.close()
    assert pauses == [7.0, 7.0]
    assert (sender.sent.delivered, sender.sent.failed, sender.sent.requests) == (4, 0, 3)


def test_a_receiver_that_stays_busy_is_given_up(receiver: Receiver) -> None:
    pauses: list[float] = []
    sender = Sender(f"{receiver.endpoint}/v1/traces", {}, pause=pauses.append)
    receiver.answer_with(503)
    sender.send(ExportTraceServiceRequest.FromString(export(*a_run(1))))
    sender.close()
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert (sender.sent.delivered, sender.sent.failed) == (0, 4)


def test_a_batch_that_is_too_large_is_halved(receiver: Receiver) -> None:
    sender = Sender(f"{receiver.endpoint}/v1/traces", {}, pause=lambda _: None)
    receiver.answer_with(413, times=1)
    sender.send(ExportTraceServiceRequest.FromString(export(*a_run(1), *a_run(2))))
    sender.close()
    assert sender.sent.delivered == len(receiver.spans) == 8
    assert sender.sent.failed == 0


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_counted_and_told(file: Path, receiver: Receiver, status: int) -> None:
    receiver.answer_with(status)
    done = replay(file, "--endpoint", receiver.endpoint)
    assert done.exit_code == 1
    assert done.stdout.startswith("0 spans delivered, 12 failed")
    assert f"{status} " in done.stderr


def test_nobody_there_is_told_at_once(file: Path) -> None:
    with nobody() as address:
        done = replay(file, "--endpoint", address, "--batch-bytes", "16384", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["failed"], told["requests"]) == (1, 12, 1)
    assert told["problems"] == ["nothing listens there"]


def test_a_fault_in_the_file_is_named_by_its_line(file: Path, receiver: Receiver) -> None:
    file.write_text(file.read_text() + '{"resourceSpans": [{"scopeSpans": 1}]}\n')
    done = replay(file, "--endpoint", receiver.endpoint)
    assert done.exit_code == 2
    assert f"{file}, line 4 is not OTLP JSON" in done.stderr


def test_wrong_options_are_told(file: Path) -> None:
    assert "NAME=VALUE" in replay(file, "--endpoint", "http://localhost:1", "--header", "nonsense").stderr
    assert "must be a URL" in replay(file, "--endpoint", "localhost:4318").stderr


@pytest.mark.parametrize("max_bytes", [1, 700, 2_000, 10**6])
def test_batches_keep_every_span_and_their_bound(max_bytes: int) -> None:
    whole = ExportTraceServiceRequest.FromString(export(*(span for n in range(1, 6) for span in a_run(n))))
    made = list(batches(whole.resource_spans, max_bytes))
    ids = [
        span.span_id + span.trace_id
        for b in made
        for r in b.resource_spans
        for s in r.scope_spans
        for span in s.spans
    ]
    assert ids == [
        span.span_id + span.trace_id for r in whole.resource_spans for s in r.scope_spans for span in s.spans
    ]
    assert all(b.ByteSize() <= max_bytes or count(b) == 1 for b in made)


def test_a_resource_keeps_what_it_says_itself() -> None:
    part = ResourceSpans(resource=Resource())
    list(with_resource([part], {"a": "1"}))
    list(with_resource([part], {"a": "2", "b": "3"}))
    assert [(pair.key, pair.value.string_value) for pair in part.resource.attributes] == [
        ("a", "1"),
        ("b", "3"),
    ]
