"""Where spans go is decided in one place: the exporter of `instrument()`, the doctor and the SDK alone agree on it."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc import exporter as grpc_exporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

from runspan.config import ConfigError, resolve
from runspan.exporting import otlp
from runspan.exporting.address import GRPC, HTTP, address

E, H, P, INSECURE = (f"OTEL_EXPORTER_OTLP_{name}" for name in ("ENDPOINT", "HEADERS", "PROTOCOL", "INSECURE"))
TE, TH, TP, T_INSECURE = (name.replace("OTLP_", "OTLP_TRACES_") for name in (E, H, P, INSECURE))

VARIABLES: tuple[dict[str, str], ...] = (
    {},
    {P: GRPC},
    {TP: GRPC},
    {P: GRPC, TP: HTTP},
    {E: "http://host:1"},
    {E: "http://host:1/"},
    {E: "http://host:1/base"},
    {E: "https://host"},
    {TE: "http://host:1"},
    {TE: "http://host:1/v1/traces", E: "http://other:2"},
    {E: "http://[::1]:4318"},
    {P: GRPC, E: "http://host:1"},
    {P: GRPC, E: "https://host:1"},
    {P: GRPC, E: "https://host:1", INSECURE: "true"},
    {P: GRPC, E: "http://host:1", INSECURE: "false"},
    {P: GRPC, E: "host:1"},
    {P: GRPC, E: "host:1", INSECURE: "true"},
    {P: GRPC, E: "host:1", INSECURE: "true", T_INSECURE: "false"},
    {P: GRPC, E: "http://one:1", TE: "http://two:2"},
    {P: GRPC, H: "x-key=a%20b,other=c"},
    {P: GRPC, H: "x-key=general", TH: "x-key=special"},
)  # fmt: skip


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """(target, whether without TLS) of each channel that an exporter opens."""
    found: list[tuple[str, bool]] = []
    for name in ("insecure_channel", "secure_channel"):
        make = getattr(grpc, name)

        def recorded(target: str, *more: Any, make: Any = make, name: str = name, **options: Any) -> Any:
            found.append((target, name == "insecure_channel"))
            return make(target, *more, **options)

        for owner in (grpc, grpc_exporter):
            monkeypatch.setattr(owner, name, recorded)
    return found


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
def test_the_address_is_what_the_exporter_and_the_sdk_alone_use(
    variables: dict[str, str], opened: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    config = resolve({}, {})
    to = address(config)
    ours: Any = otlp.exporter(config)[1]()
    alone: Any = (HttpExporter if to.protocol == HTTP else GrpcExporter)()
    try:
        if to.protocol == HTTP:  # which headers that sends is seen by receivers, in tests/setup
            assert to.url == ours.tries.sender.url == alone._endpoint
            return
        ours.tries.sender._connect()
        assert opened == [(to.url.rpartition("//")[2], not to.is_secure)] * 2
        for sent in (ours.tries.sender._metadata, alone._headers):
            assert {n: v for n, v in sent if n != "user-agent"} == to.headers
    finally:
        ours.shutdown()
        alone.shutdown()


@pytest.mark.parametrize(
    ("variables", "cure"),
    [
        ({E: "localhost:4318"}, f"{E}='localhost:4318' is no address: write a URL such as 'http://localhost:4318'."),
        ({TE: "localhost"}, f"{TE}='localhost' is no address: write a URL such as 'http://localhost'."),
        ({E: "http://host:99999"}, "'http://localhost:4318'"),
        ({E: "http://host:x"}, "'http://localhost:4318'"),
        ({E: "http://"}, "'http://localhost:4318'"),
        ({E: "ftp://host"}, "'http://localhost:4318'"),
        ({E: "http://me:secret@host:x"}, f"{E}='host:x'"),
        ({P: GRPC, E: "host:99999"}, "'http://localhost:4317'"),
    ],
)  # fmt: skip
def test_what_is_no_address_fails_at_start_with_the_cure(
    variables: dict[str, str], cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would say so at each export, in a log, and lose the spans."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as failed:
        otlp.exporter(resolve({}, {}))
    assert cure in str(failed.value)
    assert "secret" not in str(failed.value)


def test_a_tool_that_knows_http_alone_does_not_send_it_to_a_grpc_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(P, GRPC)
    assert address(resolve({}, {}), HTTP).url == "http://localhost:4318/v1/traces"
    assert address(resolve({"endpoint": "http://h:1"}, {}), HTTP).url == "http://h:1/v1/traces"
    monkeypatch.setenv(E, "http://host:4317")
    with pytest.raises(ConfigError, match="name one with --endpoint"):
        address(resolve({}, {}), HTTP)


@pytest.mark.parametrize(
    ("environ", "cure"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4317"},
            "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or send to",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318/v1/traces"}, "must not end in /v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318/v1/traces/"}, "must not end in /v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:4318/v1/traces"}, "for example `runspan ui`"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:9"}, "for example `runspan ui`"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318"},
            "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or send to http://localhost:4317",
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "for example `runspan ui`"),
        ({"RUNSPAN_BACKEND": "phoenix"}, "Is Phoenix there"),
    ],
)
def test_the_log_says_what_to_change_about_an_address(
    environ: dict[str, str], cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    made = otlp.exporter(resolve({}, environ))[1]()
    try:
        assert cure in made.cure  # type: ignore[attr-defined]
    finally:
        made.shutdown()
