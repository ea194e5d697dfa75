"""`runspan doctor`: each thing that keeps traces from arriving is found, and named with its cure."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from runspan import fake
from runspan.cli.finding import State
from runspan.cli.health import client, versions
from runspan.cli.health.variables import masked
from runspan.viewer import Viewer, serve
from tests.support.children import ROOT, black_hole, nobody
from tests.support.collector import serve_grpc
from tests.support.otlp import runs
from tests.support.receiver import Receiver
from tests.support.tls import serve_tls

from .conftest import Command

SCRIPT = ROOT / "tests" / "support" / "tutor_script.py"


def examined(command: Command, *options: str, **env: str) -> tuple[int, dict[str, Any]]:
    ended = command("doctor", "--json", *options, **env)
    assert "Traceback" not in ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def bad(told: dict[str, Any]) -> list[str]:
    return [finding["about"] for finding in told["findings"] if finding["state"] == "bad"]


def text(told: dict[str, Any], about: str) -> str:
    return "\n".join(f"{f['text']} {f['cure']}" for f in told["findings"] if f["about"] == about)


@pytest.fixture
def viewer(tmp_path: Path) -> Any:
    with serve(port=0, db=tmp_path / "of_the_viewer.db") as running:
        yield running


def test_our_viewer_is_asked_for_the_trace_and_does_not_keep_it(command: Command, viewer: Viewer) -> None:
    code, told = examined(command, OTEL_EXPORTER_OTLP_ENDPOINT=viewer.endpoint)
    assert (code, told["ok"], bad(told)) == (0, True, [])
    assert (
        text(told, "delivery").strip()
        == f"the viewer at {viewer.endpoint} had the test trace, which is deleted again"
    )
    assert viewer.store.traces() == []
    assert "is patched by instrument()" in text(told, "client")


def test_a_receiver_is_trusted_by_the_certificate_that_the_exporter_trusts(
    command: Command, tmp_path: Path
) -> None:
    with serve_tls(tmp_path) as (endpoint, certificate):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "REQUESTS_CA_BUNDLE": ""}
        code, told = examined(command, **env)
        assert (code, bad(told)) == (1, ["address"])
        code, told = examined(command, **env, OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate))
        assert (code, bad(told)) == (0, [])
        code, told = examined(command, **env, OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path / "none.pem"))
        assert (code, bad(told)) == (1, ["address"])
        assert "name a file of PEM certificates" in text(told, "address")


def test_of_other_receivers_the_answer_counts(command: Command, receiver: Receiver) -> None:
    code, told = examined(
        command, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, OTEL_TRACES_SAMPLER="always_on"
    )
    assert (code, bad(told)) == (0, [])
    assert len(runs(receiver)) == 1
    assert text(told, "delivery").strip() == "the receiver took the test trace"


def test_in_words_it_is_marked_and_ends_in_1(command: Command) -> None:
    with nobody() as address:
        ended = command("doctor", OTEL_EXPORTER_OTLP_ENDPOINT=address, COLUMNS="50")
    assert ended.returncode == 1
    assert "XX  traces go to 127.0.0.1:" in ended.stdout
    assert "    -> Start `runspan ui`" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 50
    assert "\x1b" not in ended.stdout


def test_nobody_there(command: Command) -> None:
    with nobody() as address:
        code, told = examined(command, OTEL_EXPORTER_OTLP_ENDPOINT=address)
    assert (code, bad(told)) == (1, ["address"])
    assert "nothing listens there" in text(told, "address")
    assert text(told, "delivery") == ""  # nothing is sent to nobody


def test_somebody_who_does_not_answer(command: Command) -> None:
    with black_hole() as address:
        code, told = examined(command, OTEL_EXPORTER_OTLP_ENDPOINT=address)
    assert (code, bad(told)) == (1, ["address"])
    assert "does not answer HTTP (no answer in time)" in text(told, "address")
    assert "that http:// or https:// is correct" in text(told, "address")


def test_https_where_there_is_no_tls(command: Command, receiver: Receiver) -> None:
    _, told = examined(command, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint.replace("http:", "https:"))
    assert "it speaks no TLS" in text(told, "address")
    assert "Begin the address with http://" in text(told, "address")


@pytest.mark.parametrize(("status", "cure"), [(401, "keys"), (404, "/v1/traces"), (415, "protobuf")])
def test_a_receiver_that_refuses(command: Command, receiver: Receiver, status: int, cure: str) -> None:
    receiver.answer_with(status)
    code, told = examined(command, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    assert (code, bad(told)) == (1, ["address"])
    assert f"answers {status}" in text(told, "address")
    assert cure in text(told, "address")


def test_the_right_door_over_grpc(command: Command) -> None:
    with serve_grpc() as got:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": got.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        code, told = examined(command, **env)
    assert (code, bad(told)) == (0, [])
    assert got.resource["service.name"] == "runspan-doctor"
    assert "over grpc, where an OTLP receiver answers" in text(told, "address")
    assert text(told, "delivery").strip() == "the receiver took the test trace"


OVER_GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}


def test_our_viewer_is_asked_for_the_trace_that_came_over_grpc(command: Command, tmp_path: Path) -> None:
    with serve(port=0, db=tmp_path / "v.db", token="s3cret", grpc_port=0) as viewer:
        env = {**OVER_GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": str(viewer.grpc_endpoint)}
        code, told = examined(command, "--no-send", **env)
        assert (code, bad(told)) == (1, ["address"])
        assert "UNAUTHENTICATED" in text(told, "address")
        code, told = examined(command, **env, OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20s3cret")
        assert (code, bad(told)) == (0, [])
        assert f"the viewer at {viewer.endpoint} had the test trace" in text(told, "delivery")
        assert viewer.store.traces() == []


@pytest.mark.parametrize("signal", ["", "TRACES_"])
def test_what_the_exporter_will_use_is_checked_and_nothing_else(
    command: Command, receiver: Receiver, signal: str
) -> None:
    """Somebody answers over HTTP where the general variable leads; the exporter speaks gRPC to nobody."""
    with nobody() as address:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT": address,
            f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL": "grpc",
        }
        code, told = examined(command, **env)
    assert (code, bad(told)) == (1, ["address"])
    assert f"traces go to {address.removeprefix('http://')} over grpc, and nothing listens" in text(
        told, "address"
    )
    assert receiver.requests == ()


def test_without_an_address_the_usual_port_of_the_protocol_is_meant(command: Command) -> None:
    for env, port in (({}, 4318), (OVER_GRPC, 4317)):
        _, told = examined(command, "--no-send", **env)
        assert f"traces go to localhost:{port} over" in text(told, "address")


def test_the_other_protocols_receiver_is_none(command: Command, receiver: Receiver) -> None:
    code, told = examined(command, **OVER_GRPC, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    assert (code, bad(told)) == (1, ["address"])
    assert "does not answer gRPC" in text(told, "address")


def test_a_receiver_that_answers_and_does_not_take_the_trace_is_never_ok(command: Command) -> None:
    with serve_grpc(max_bytes=10) as got:
        code, told = examined(command, **OVER_GRPC, OTEL_EXPORTER_OTLP_ENDPOINT=got.endpoint)
    assert (code, bad(told)) == (1, ["delivery"])
    assert "was not delivered" in text(told, "delivery")


def test_under_a_launcher_the_exporters_results_count(command: Command, receiver: Receiver) -> None:
    """The provider is the launcher's then, whose flush answers True whatever became of the spans."""
    (command.home / "sitecustomize.py").write_text(SET_A_PROVIDER)
    env = {"PYTHONPATH": f"{command.home}:{ROOT}", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
    code, told = examined(command, **env)
    assert (code, bad(told)) == (0, [])
    assert {span.resource["service.name"] for span in receiver.spans} == {"runspan-doctor"}
    with serve_grpc(max_bytes=10) as got:
        code, told = examined(command, **{**env, **OVER_GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": got.endpoint})
    assert (code, bad(told)) == (1, ["delivery"])


SET_A_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
"""


@pytest.mark.parametrize(
    ("env", "about", "said"),
    [
        ({"RUNSPAN_CALLS": "some"}, "settings", "RUNSPAN_CALLS='some'"),
        ({"RUNSPAN_ENABLED": "false"}, "settings", "Unset RUNSPAN_ENABLED."),
        ({"OTEL_SDK_DISABLED": "true"}, "settings", "Unset OTEL_SDK_DISABLED."),
        ({"OTEL_TRACES_EXPORTER": "none"}, "variables", "sent nowhere"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "variables", "no new trace is recorded"),
        ({"RUNSPAN_BACKEND": "langfuse"}, "address", "LANGFUSE_"),
    ],
)
def test_settings_that_keep_traces_away(command: Command, env: dict[str, str], about: str, said: str) -> None:
    code, told = examined(command, "--no-send", **env)
    assert code == 1
    assert about in bad(told)
    assert said in text(told, about)


def test_settings_that_are_worth_a_word(command: Command, receiver: Receiver) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.endpoint}/v1/traces",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20sesame",
        "RUNSPAN_CAPTURE_CONTNT": "false",
    }
    code, told = examined(command, "--no-send", **env)
    assert (code, bad(told)) == (0, [])
    said = text(told, "variables")
    assert "Did you mean RUNSPAN_CAPTURE_CONTENT?" in said
    assert "a share of 0.1" in said
    assert "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT counts for traces" in said
    assert "sesame" not in json.dumps(told)
    assert receiver.spans == ()


def test_where_a_backend_is_away_its_own_variable_is_named(command: Command) -> None:
    """It beats the variables of OpenTelemetry, so to set those would change nothing."""
    with nobody() as address:
        env = {"RUNSPAN_BACKEND": "mlflow", "MLFLOW_EXPERIMENT_ID": "0", "MLFLOW_TRACKING_URI": address}
        code, told = examined(command, "--no-send", **env)
    assert (code, bad(told)) == (1, ["address"])
    assert "Start an MLflow server, or set MLFLOW_TRACKING_URI to another address." in text(told, "address")


def test_a_misspelled_variable_is_said_once(command: Command) -> None:
    """By a finding, and not by the log of the test trace as well."""
    ended = command("doctor", RUNSPAN_CONTENT="false", RUNSPAN_FILE="traces.jsonl")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("is not a variable of runspan") == 1
    assert "Did you mean RUNSPAN_CAPTURE_CONTENT?" in ended.stdout


def test_a_file_is_where_the_test_trace_goes(command: Command) -> None:
    code, told = examined(command, RUNSPAN_FILE="traces.jsonl")
    assert (code, bad(told)) == (0, [])
    assert "runspan-doctor" in (command.home / "traces.jsonl").read_text()
    assert "the file traces.jsonl" in text(told, "delivery")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("LANGFUSE_SECRET_KEY", "sk-lf-1", "********"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b, x-key=c", "a=********,x-key=********"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:pw@host:1/p?k=v", "https://********@host:1/p?********"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:1", "http://host:1"),
        ("RUNSPAN_CALLS", "all", "all"),
    ],
)
def test_secrets_are_masked(name: str, value: str, shown: str) -> None:
    assert masked(name, value) == shown


def test_an_app_is_run_and_told_about(command: Command, receiver: Receiver) -> None:
    with fake.serve("text") as server:
        ended = command(
            "doctor", SCRIPT, APP_SERVER=server.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint
        )
    assert ended.returncode == 0
    assert ended.stdout.endswith(" completed\n")
    assert len(ended.stdout.splitlines()) == 1  # the app's own
    assert "ok  1 run(s) recorded: 1 emitted" in ended.stderr
    assert len(runs(receiver)) == 1


LEFT_ALONE = """
import os, openai
client = openai.OpenAI(base_url=os.environ["APP_SERVER"], api_key="none")
tutor = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
client.beta.threads.create_and_run(assistant_id=tutor.id)
"""


def test_an_app_that_leaves_a_run_alone_is_told_where_the_reason_stands(
    command: Command, receiver: Receiver
) -> None:
    (command.home / "app.py").write_text(LEFT_ALONE)
    with fake.serve("slow") as server:
        env = {"APP_SERVER": server.base_url, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        ended = command("doctor", "--json", "app.py", **env)
    told = json.loads(ended.stderr.splitlines()[-1])
    assert (ended.returncode, bad(told)) == (0, [])
    assert "1 run(s) recorded: 1 unfinished runspan.run.unfinished on the run span says why" in text(
        told, "runs"
    )


def test_what_an_app_lost_is_told_with_its_cause(command: Command) -> None:
    with fake.serve("text") as server, nobody() as address:
        ended = command(
            "doctor", "--json", SCRIPT, APP_SERVER=server.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=address
        )
    told = json.loads(ended.stderr.splitlines()[-1])
    assert (ended.returncode, told["ok"]) == (0, False)
    assert "address" in bad(told)
    assert "export_failed_spans" in text(told, "dropped")
    assert "cannot send" in text(told, "told")


OWN_PROVIDER = """
import os
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=os.environ["ELSEWHERE"], timeout=1)))
trace.set_tracer_provider(provider)
exec(open(os.environ["SCRIPT"]).read())
"""


def test_that_the_apps_own_exporter_failed_is_not_ok(command: Command, receiver: Receiver) -> None:
    (command.home / "app.py").write_text(OWN_PROVIDER)
    with fake.serve("text") as server, nobody() as elsewhere:
        env = {"APP_SERVER": server.base_url, "SCRIPT": str(SCRIPT), "ELSEWHERE": elsewhere}
        ended = command("doctor", "--json", "app.py", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, **env)
    told = json.loads(ended.stderr.splitlines()[-1])
    assert (ended.returncode, told["ok"]) == (0, False)
    assert "told" in bad(told)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "the app did not import openai"),
        ("import openai", "the app made no run"),
        ("import runspan; runspan.uninstrument()", "the app was not traced"),
    ],
)
def test_an_app_without_runs_is_told_so(command: Command, script: str, said: str) -> None:
    (command.home / "app.py").write_text(f"{script}\nraise SystemExit(7)")
    ended = command("doctor", "app.py", OTEL_TRACES_EXPORTER="none")
    assert (ended.returncode, ended.stdout) == (7, "")
    assert f"XX  {said}" in ended.stderr


WRAPPING = """
import os, types
import openai
module = types.ModuleType("openinference.instrumentation.openai")
exec("def wrap(inner):\\n    def request(self, *a, **k):\\n        return inner(self, *a, **k)\\n    return request", vars(module))
openai.OpenAI.request = module.wrap(openai.OpenAI.request)
exec(open(os.environ["SCRIPT"]).read())
"""


def test_who_else_traces_the_apps_client_is_named(command: Command, receiver: Receiver) -> None:
    (command.home / "app.py").write_text(WRAPPING)
    with fake.serve("text") as server:
        env = {
            "APP_SERVER": server.base_url,
            "SCRIPT": str(SCRIPT),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        }
        ended = command("doctor", "app.py", **env)
    assert (ended.returncode, len(runs(receiver))) == (0, 1), ended.stderr
    assert "OpenInference traces the openai client, too." in " ".join(ended.stderr.split())


def test_instrumentations_that_a_launcher_would_start_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    known = "opentelemetry.instrumentation.openai.v1:OpenAIInstrumentor"
    beside = "opentelemetry.instrumentation.openai_v2:OpenAIInstrumentor"
    points = [
        EntryPoint("openai", one, "opentelemetry_instrumentor") for one in (known, beside, "requests:X")
    ]
    monkeypatch.setattr(client, "entry_points", lambda group: points)
    first, second, last = client.findings()
    assert first.text.startswith("OpenLLMetry is installed and traces Assistants calls, too")
    assert "has no spans of runs" in second.text
    assert (last.state, last.about) == (State.OK, "client")


@pytest.mark.parametrize(
    ("version", "requirement", "state"),
    [
        ("3.57.0", "openai<4,>=1.30.5", None),
        ("1.30.5", "openai<4,>=1.30.5", None),
        ("1.30.4", "openai<4,>=1.30.5", State.WARN),
        ("1.9", "openai<4,>=1.30.5", State.WARN),
        ("4.0.0", "openai<4,>=1.30.5", State.WARN),
        ("4.0.0rc1", "openai<4,>=1.30.5", State.WARN),
        ("3.10", "openai (>=3.9, <4)", None),
        ("0.1", "openai", None),
        (None, "openai>=1", State.BAD),
        ("1", "openai @ https://example.com/x", State.BAD),
    ],
)
def test_versions_are_held_against_the_tested_ranges(
    version: str | None, requirement: str, state: State | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(name: str) -> str:
        if version is None:
            raise PackageNotFoundError(name)
        return version

    monkeypatch.setattr(versions.metadata, "version", installed)
    found = versions.checked(requirement)[1]
    assert (found.state if found else None) == state


def test_every_range_of_ours_can_be_read() -> None:
    """Of the base: what an extra brings is not needed."""
    (first, *wrong) = versions.findings()
    assert (first.state, wrong) == (State.OK, [])
    assert {"openai", "click", "wrapt"} <= set(first.text.replace(",", "").split())
    assert "jinja2" not in first.text


@pytest.mark.parametrize(
    "endpoint", ["localhost:4318", "http://[::1", "http://localhost:99999", "ftp://x", "http://"]
)
def test_an_address_that_is_none_is_named_with_the_cure(command: Command, endpoint: str) -> None:
    code, told = examined(command, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert (code, bad(told)) == (1, ["address"])
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint!r} is no address: write a URL such as" in text(
        told, "address"
    )


def test_an_app_that_is_not_there_is_named_before_anything_is_examined(command: Command) -> None:
    ended = command("doctor", "nowhere.py")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", "Error: can't find nowhere.py\n")
