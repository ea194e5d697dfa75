"""Where spans go is decided in one place: the exporter of `instrument()`, the doctor and the SDK alone agree on it."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

from runspan.config import ConfigError, resolve
from runspan.exporting import otlp
from runspan.exporting.address import GRPC, HTTP, Address, address

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


def used(exporter: Any) -> tuple[str, dict[str, str], bool | None]:
    """Address and, over gRPC, headers and whether it goes without TLS, as the SDK's exporter has them."""
    if isinstance(exporter, HttpExporter):  # which headers that sends is seen by receivers, in tests/setup
        return exporter._endpoint, {}, None
    return exporter._endpoint, dict(exporter._headers), exporter._insecure


def said(to: Address) -> tuple[str, dict[str, str], bool | None]:
    if to.protocol == HTTP:
        return to.url, {}, None
    return to.url.rpartition("//")[2], dict(to.headers), not to.is_secure


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
def test_the_address_is_what_the_exporter_and_the_sdk_alone_use(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    config = resolve({}, {})
    to = address(config)
    ours = otlp.exporter(config)[1]()
    alone = (HttpExporter if to.protocol == HTTP else GrpcExporter)()
    try:
        assert said(to) == used(ours.inner) == used(alone)
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
