"""The Grafana dashboard by its schema, and its queries by what runspan and the Collector's files really offer.

`make test-backends` asks each query at a real Prometheus.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runspan.conventions import measures

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "deploy" / "grafana" / "dashboards" / "runspan.json"
DASHBOARD: dict[str, Any] = json.loads(TARGET.read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
WANTED = ("status", "takes", "queued", "Tokens", "Cost", "Tool", "lag", "Dropped")  # of the issue
UNITS = {"s": "_seconds"}


def expressions() -> Iterator[tuple[str, str]]:
    for panel in SHOWN:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def series() -> dict[str, set[str]]:
    """Name in Prometheus -> its labels, as the Collector's exporter makes them of our instruments and of spans."""
    found: dict[str, set[str]] = {}
    labels = {
        measures.STATUS,
        measures.CAUSE,
        measures.TOKEN_TYPE,
        "gen_ai.request.model",
        "gen_ai.agent.name",
        "gen_ai.tool.name",
        "error.type",
        "runspan.cost.currency",
    }
    ours = {label.replace(".", "_") for label in labels} | {"job"}
    for one in (one for one in vars(measures).values() if isinstance(one, measures.Instrument)):
        name = one.name.replace(".", "_") + UNITS.get(one.unit, "")
        if one.buckets is None:
            found[f"{name}_total"] = ours
        else:
            found |= {f"{name}_{part}": ours | {"le"} for part in ("bucket", "sum", "count")}
    config = yaml.safe_load((ROOT / "deploy" / "collector" / "host.yaml").read_text("utf-8"))
    spans = config["connectors"]["spanmetrics"]
    of_spans = {row["name"].replace(".", "_") for row in spans["dimensions"]} | {
        "job",
        "span_name",
        "status_code",
    }
    name = f"traces_span_metrics_duration{UNITS[spans['histogram']['unit']]}"
    return found | {f"{name}_bucket": of_spans | {"le"}, "traces_span_metrics_calls_total": of_spans}


def test_the_whole_has_what_grafana_wants() -> None:
    assert DASHBOARD["uid"] == "runspan"
    assert DASHBOARD["schemaVersion"] >= 36
    assert {"title", "time", "templating", "annotations", "panels"} <= DASHBOARD.keys()
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("panel", SHOWN, ids=[panel["title"] for panel in SHOWN])
def test_a_panel_has_what_grafana_wants(panel: dict[str, Any]) -> None:
    assert panel["type"] in ("timeseries", "stat")
    assert panel["fieldConfig"]["defaults"]["unit"] in ("s", "short", "percentunit")
    assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
    references = [target["refId"] for target in panel["targets"]]
    assert references == sorted(set(references))
    assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])


def test_panels_lie_on_the_grid_and_not_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert all(0 <= x < 24 for x, _ in cells)
        taken |= cells


def test_what_was_asked_for_is_there() -> None:
    titles = " ".join(panel["title"] for panel in SHOWN)
    assert [word for word in WANTED if word not in titles] == []


@pytest.mark.parametrize(("title", "expr"), list(expressions()))
def test_a_query_asks_for_series_and_labels_that_exist(title: str, expr: str) -> None:
    offered = series()
    names = re.findall(r"\b((?:gen_ai|runspan|traces)_\w+)\{", expr)
    assert names
    assert [name for name in names if name not in offered] == []
    in_braces = [
        label for inside in re.findall(r"\{([^}]*)\}", expr) for label in re.findall(r"(\w+)\s*[=!]", inside)
    ]
    grouped = [label.strip() for by in re.findall(r"by \(([^)]*)\)", expr) for label in by.split(",")]
    assert [label for label in in_braces + grouped if label not in offered[names[0]]] == []
    assert expr.count("(") == expr.count(")")


@pytest.mark.parametrize(("title", "expr"), list(expressions()))
def test_a_query_knows_no_id(title: str, expr: str) -> None:
    assert not re.search(r"(run|thread|session|user|conversation|call)_id", expr)


def test_the_traceql_of_the_page_asks_for_attributes_that_spans_have() -> None:
    docs = ROOT / "docs"
    asked = set(
        re.findall(r"\bspan\.([a-z_.]+) ?[=!><)]", (docs / "backends" / "grafana.md").read_text("utf-8"))
    )
    assert len(asked) > 8
    documented = set(re.findall(r"`([\w.]+)`", (docs / "trace.md").read_text("utf-8")))
    assert asked <= documented


def test_every_variable_is_defined() -> None:
    defined = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", TARGET.read_text("utf-8"))) - {"__rate_interval", "__all"}
    assert used == defined
