"""What each backend's variables become, as one table; and what is missing is named."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from runspan.config import BACKENDS, ConfigError
from runspan.presets import PRESETS, Destination, destination, page


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


LANGFUSE = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}
LANGFUSE_HEADERS = {"authorization": basic("pk:sk"), "x-langfuse-ingestion-version": "4"}
MLFLOW = {"MLFLOW_EXPERIMENT_ID": "7"}
NOWHERE = Destination()

TABLE: list[tuple[str, Mapping[str, str], str | None, Mapping[str, str]]] = [
    ("langfuse", LANGFUSE, "https://cloud.langfuse.com/api/public/otel", LANGFUSE_HEADERS),
    (
        "langfuse",
        {**LANGFUSE, "LANGFUSE_HOST": "http://localhost:3000/"},
        "http://localhost:3000/api/public/otel",
        LANGFUSE_HEADERS,
    ),
    (
        "langfuse",
        {**LANGFUSE, "LANGFUSE_HOST": "http://old", "LANGFUSE_BASE_URL": '"https://us.cloud.langfuse.com"'},
        "https://us.cloud.langfuse.com/api/public/otel",
        LANGFUSE_HEADERS,
    ),
    (
        "langfuse",
        {**LANGFUSE, "LANGFUSE_HOST": "https://h/langfuse/api/public/otel"},
        "https://h/langfuse/api/public/otel",
        LANGFUSE_HEADERS,
    ),
    ("phoenix", {}, "http://localhost:6006", {}),
    (
        "phoenix",
        {"PHOENIX_COLLECTOR_ENDPOINT": "https://app.phoenix.arize.com/s/me", "PHOENIX_API_KEY": "k"},
        "https://app.phoenix.arize.com/s/me",
        {"authorization": "Bearer k"},
    ),
    (
        "phoenix",
        {
            "PHOENIX_COLLECTOR_ENDPOINT": "http://h:6006/v1/traces",
            "PHOENIX_CLIENT_HEADERS": "Api_Key=a%20b, x-y=1,",
        },
        "http://h:6006",
        {"api_key": "a b", "x-y": "1"},
    ),
    ("mlflow", MLFLOW, "http://localhost:5000", {"x-mlflow-experiment-id": "7"}),
    (
        "mlflow",
        {**MLFLOW, "MLFLOW_TRACKING_URI": "https://mlflow.test/", "MLFLOW_TRACKING_TOKEN": "t"},
        "https://mlflow.test",
        {"x-mlflow-experiment-id": "7", "authorization": "Bearer t"},
    ),
    (
        "mlflow",
        {
            **MLFLOW,
            "MLFLOW_TRACKING_TOKEN": "t",
            "MLFLOW_TRACKING_USERNAME": "u",
            "MLFLOW_TRACKING_PASSWORD": "p",
        },
        "http://localhost:5000",
        {"x-mlflow-experiment-id": "7", "authorization": basic("u:p")},
    ),
    (
        "logfire",
        {"LOGFIRE_TOKEN": "pylf_v1_eu_abc"},
        "https://logfire-eu.pydantic.dev",
        {"authorization": "pylf_v1_eu_abc"},
    ),
    ("logfire", {"LOGFIRE_TOKEN": "abc"}, "https://logfire-us.pydantic.dev", {"authorization": "abc"}),
    (
        "logfire",
        {"LOGFIRE_TOKEN": "abc", "LOGFIRE_BASE_URL": "http://own"},
        "http://own",
        {"authorization": "abc"},
    ),
    ("honeycomb", {"HONEYCOMB_API_KEY": "k"}, "https://api.honeycomb.io", {"x-honeycomb-team": "k"}),
    (
        "honeycomb",
        {"HONEYCOMB_API_KEY": "k", "HONEYCOMB_API_ENDPOINT": "https://api.eu1.honeycomb.io"},
        "https://api.eu1.honeycomb.io",
        {"x-honeycomb-team": "k"},
    ),
    ("jaeger", {}, None, {}),
    ("tempo", {}, None, {}),
    ("collector", {}, None, {}),
]


@pytest.mark.parametrize(("name", "environ", "endpoint", "headers"), TABLE)
def test_the_variables_of_a_backend_say_where_and_with_which_keys(
    name: str, environ: Mapping[str, str], endpoint: str | None, headers: Mapping[str, str]
) -> None:
    found = destination(name, environ)
    assert (found.endpoint, found.headers) == (endpoint, headers)


def test_every_backend_is_in_the_table() -> None:
    assert set(PRESETS) ^ set(BACKENDS) == set(), "in PRESETS (presets.py) or in Backend (config) only"
    assert {name for name, *_ in TABLE} ^ set(BACKENDS) == set(), "add a row to TABLE"


def test_a_project_of_phoenix_is_an_attribute_of_the_resource() -> None:
    """A header would do over HTTP; this one counts over gRPC as well."""
    assert destination("phoenix", {"PHOENIX_PROJECT_NAME": "p"}).resource == {
        "openinference.project.name": "p"
    }
    assert destination("phoenix", {}).resource == {}


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, "http://localhost:4317"),
        ({"PHOENIX_COLLECTOR_ENDPOINT": "http://h:6006"}, "http://h:4317"),
        ({"PHOENIX_COLLECTOR_ENDPOINT": "http://h:6006", "PHOENIX_GRPC_PORT": "9"}, "http://h:9"),
        ({"PHOENIX_COLLECTOR_ENDPOINT": "http://h:4317"}, "http://h:4317"),
    ],
)
def test_phoenix_takes_grpc_at_another_port(environ: Mapping[str, str], endpoint: str) -> None:
    assert destination("phoenix", environ, grpc=True).endpoint == endpoint


@pytest.mark.parametrize("name", PRESETS)
def test_who_takes_no_grpc_keeps_its_address(name: str) -> None:
    environ = dict.fromkeys(PRESETS[name].needs, "x")
    if not PRESETS[name].takes_grpc:
        assert destination(name, environ, grpc=True) == destination(name, environ)


# ---------------------------------------------------------------- what is missing or wrong

MISSING = [(name, variable) for name, preset in PRESETS.items() for variable in preset.needs]


@pytest.mark.parametrize(("name", "variable"), MISSING)
def test_a_variable_that_is_missing_is_named_with_what_belongs_there(name: str, variable: str) -> None:
    environ = {other: "secret" for other in PRESETS[name].needs if other != variable}
    with pytest.raises(ConfigError) as caught:
        destination(name, {**environ, variable: "  "})
    message = str(caught.value)
    assert variable in message
    assert PRESETS[name].needs[variable] in message
    assert repr(name) in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "url", ["sqlite:///mlflow.db", "databricks", "localhost:5000", "http://", "./mlruns"]
)
def test_an_address_that_is_no_url_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI") as caught:
        destination("mlflow", {**MLFLOW, "MLFLOW_TRACKING_URI": url})
    assert "http://localhost:5000" in str(caught.value)


def test_keys_are_in_no_repr() -> None:
    found = destination("langfuse", {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "secret"})
    assert "authorization" not in repr(found)
    assert basic("pk:secret") not in repr(found)


# ---------------------------------------------------------------- the page of a trace


@pytest.mark.parametrize(
    ("name", "environ", "endpoint", "url"),
    [
        ("langfuse", {}, None, "https://cloud.langfuse.com/trace/{trace_id}"),
        ("langfuse", {"LANGFUSE_HOST": "http://h:3000"}, None, "http://h:3000/trace/{trace_id}"),
        ("langfuse", {}, "http://collector:4318", None),
        (
            "langfuse",
            {"LANGFUSE_BASE_URL": "http://h:3000"},
            "http://collector:4318",
            "http://h:3000/trace/{trace_id}",
        ),
        ("phoenix", {}, None, "http://localhost:6006/redirects/traces/{trace_id}"),
        (
            "mlflow",
            {"MLFLOW_EXPERIMENT_ID": "1 2"},
            None,
            "http://localhost:5000/#/experiments/1%202/traces?selectedEvaluationId=tr-{trace_id}",
        ),
        ("mlflow", {}, None, None),
        ("mlflow", {**MLFLOW, "MLFLOW_TRACKING_URI": "sqlite:///x"}, "", None),
        ("jaeger", {}, "http://localhost:4318", "http://localhost:16686/trace/{trace_id}"),
        ("jaeger", {}, "http://u:p@jaeger:4317/v1/traces", "http://jaeger:16686/trace/{trace_id}"),
        ("jaeger", {}, "https://jaeger.test", None),
        ("jaeger", {}, "http://jaeger:9999", None),
        ("jaeger", {}, None, None),
        ("tempo", {}, "http://localhost:4318", None),
        ("collector", {}, "http://localhost:4318", None),
        ("logfire", {"LOGFIRE_TOKEN": "x"}, None, None),
        ("honeycomb", {}, None, None),
    ],
)
def test_the_page_of_a_trace_where_it_is_known(
    name: str, environ: Mapping[str, str], endpoint: str | None, url: str | None
) -> None:
    assert page(name, environ, endpoint) == url
