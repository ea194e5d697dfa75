"""deploy/ held together without a container engine: what one file promises, the other keeps."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
BUILT = yaml.safe_load((ROOT / "tools" / "backends" / "collector.yaml").read_text("utf-8"))
CONFIGS = sorted((DEPLOY / "collector").glob("*.yaml"))
NAMES = [path.name for path in CONFIGS]


def collector(path: Path, **variables: str) -> dict[str, Any]:
    """A Collector file as that reads it: `${env:NAME:-default}` replaced."""

    def value(found: re.Match[str]) -> str:
        return variables.get(found[1], found[2] or "")

    text = re.sub(r"\$\{env:(\w+)(?::-([^}]*))?\}", value, path.read_text("utf-8"))
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def ports(config: Any) -> set[int]:
    """Of every address that something in it listens at."""
    receivers = config["receivers"]["otlp"]["protocols"].values()
    listening = [
        *receivers,
        *config.get("extensions", {}).values(),
        config["exporters"].get("prometheus", {}),
    ]
    found = {int(one["endpoint"].rpartition(":")[2]) for one in listening if "endpoint" in one}
    metrics = config["service"].get("telemetry", {}).get("metrics", {})
    own = [reader["pull"]["exporter"]["prometheus"]["port"] for reader in metrics.get("readers", ())]
    return found | set(own)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_pinned_tag(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_the_tested_versions_are_the_deployed_ones() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from backends.installs import JAEGER, OTELCOL
    finally:
        sys.path.pop(0)
    tags = {name: service["image"].rpartition(":")[2] for name, service in SERVICES.items()}
    assert (tags["collector"], tags["jaeger"]) == (OTELCOL.version, JAEGER.version)
    assert BUILT["dist"]["version"] == OTELCOL.version


def test_every_mounted_file_exists() -> None:
    mounted = [v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ())]
    files = [source for source in mounted if source.startswith(".")]
    assert len(files) >= 5
    assert [source for source in files if not (DEPLOY / source).exists()] == []
    assert {source for source in mounted if not source.startswith(".")} == set(COMPOSE["volumes"])


def test_every_published_port_is_on_loopback_and_listened_at() -> None:
    published = {name: [p.split(":") for p in s.get("ports", ())] for name, s in SERVICES.items()}
    assert {host for of in published.values() for host, _, _ in of} == {"127.0.0.1"}
    assert all(outside == inside for of in published.values() for _, outside, inside in of)
    listened = ports(collector(DEPLOY / "collector" / "host.yaml", **SERVICES["collector"]["environment"]))
    assert {int(port) for _, _, port in published["collector"]} <= listened


def test_the_collector_finds_the_stores() -> None:
    """Host and port of each exporter are a service and what it takes OTLP at."""
    config = collector(DEPLOY / "collector" / "host.yaml", **SERVICES["collector"]["environment"])
    wanted = {e["endpoint"] for name, e in config["exporters"].items() if name.startswith("otlp")}
    assert wanted == {"jaeger:4317", "tempo:4317"}
    tempo = yaml.safe_load((DEPLOY / "tempo" / "tempo.yaml").read_text("utf-8"))
    assert tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] == "0.0.0.0:4317"
    listening = {address for e in _endpoints(config) if (address := e.rpartition(":")[0]) not in SERVICES}
    assert listening == {"0.0.0.0"}


def test_prometheus_scrapes_what_the_collector_offers() -> None:
    config = collector(DEPLOY / "collector" / "host.yaml")
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))["scrape_configs"]
    targets = [
        target.split(":") for job in scraped for of in job["static_configs"] for target in of["targets"]
    ]
    assert {host for host, _ in targets} == {"collector"}
    assert {int(port) for _, port in targets} <= ports(config)


def test_grafana_finds_its_sources_and_dashboards() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "runspan.yaml").read_text("utf-8"))["datasources"]
    hosts = {source["uid"]: source["url"].removeprefix("http://").partition(":")[0] for source in sources}
    assert set(hosts.values()) <= set(SERVICES)
    (provider,) = yaml.safe_load((folder / "dashboards" / "runspan.yaml").read_text("utf-8"))["providers"]
    mounted = dict(v.split(":")[:2] for v in SERVICES["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_a_collector_file_uses_what_was_built_and_tested(path: Path) -> None:
    config = collector(path)
    for section in ("receivers", "processors", "exporters", "connectors", "extensions"):
        modules = [row["gomod"].split()[0].rpartition("/")[2] for row in BUILT[section]]
        used = {name.partition("/")[0] for name in config.get(section, {})}
        missing = [u for u in used if not any(m.startswith(u.replace("_", "")) for m in modules)]
        assert missing == [], section


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_a_collector_file_guards_its_memory_first(path: Path) -> None:
    for name, pipeline in collector(path)["service"]["pipelines"].items():
        assert pipeline["processors"][0] == "memory_limiter", name


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_a_collector_file_listens_on_loopback_unless_told(path: Path) -> None:
    listening = [e for e in _endpoints(collector(path)) if e.startswith(("0.0.0.0", "[::]", ":"))]
    assert listening == []


def _endpoints(config: dict[str, Any]) -> Iterator[str]:
    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (v for k, v in value.items() if k == "endpoint")
            for inner in value.values():
                yield from walk(inner)

    yield from walk(config)


def test_metrics_are_made_before_traces_are_sampled() -> None:
    pipelines = collector(DEPLOY / "collector" / "fleet-gateway.yaml")["service"]["pipelines"]
    measured = [p for p in pipelines.values() if "spanmetrics" in p["exporters"]]
    assert [p for p in measured if "tail_sampling" in p["processors"]] == []


def test_the_agents_send_where_the_gateway_listens() -> None:
    gateway = collector(DEPLOY / "collector" / "fleet-gateway.yaml")
    agent = collector(DEPLOY / "collector" / "fleet-agent.yaml")
    address = gateway["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]
    assert agent["exporters"]["loadbalancing"]["resolver"]["static"]["hostnames"] == [address]
    assert agent["exporters"]["otlp/metrics"]["endpoint"] == address


def test_batches_fit_through_the_default_limit_of_grpc() -> None:
    for path in CONFIGS:
        for name, exporter in collector(path)["exporters"].items():
            batch = exporter.get("sending_queue", {}).get("batch", {})
            if exporter.get("sending_queue", {}).get("sizer") == "bytes":
                assert batch["max_size"] < 4 * 1024 * 1024, (path.name, name)


def test_the_readme_says_what_no_test_started() -> None:
    readme = (DEPLOY / "README.md").read_text("utf-8")
    never = readme.partition("## Never started by the tests")[2]
    assert all(word in never for word in ("Tempo", "Grafana", "compose.yaml"))
    assert json.dumps(COMPOSE["name"]) == '"runspan"'
