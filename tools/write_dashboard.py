"""Writes deploy/grafana/dashboards/runspan.json from the table below; `tests/test_dashboard.py` fails where the two differ.

Metrics come from runspan (`OTEL_METRICS_EXPORTER=otlp`) through the Collector's prometheus exporter, which turns dots into
underscores and appends units; `traces_span_metrics_*` from its spanmetrics connector. Metrics hold names, never ids: from a panel
to single runs it goes by TraceQL (docs/backends/grafana.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "dashboards" / "runspan.json"
PROMETHEUS = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 24, 8  # of Grafana's grid; of a panel

OF = 'job=~"$service", gen_ai_request_model=~"$model", gen_ai_agent_name=~"$assistant"'
SERVICE = 'job=~"$service"'
IN = "[$__rate_interval]"
DURATION = "gen_ai_client_operation_duration_seconds"
TOOLS = "gen_ai_execute_tool_duration_seconds"


@dataclass(frozen=True)
class Panel:
    """`queries`: (what the line is called, PromQL)."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    wide: int = 8
    kind: str = "timeseries"
    stacked: bool = False
    about: str = ""


def rate(metric: str, by: str = "", where: str = OF, times: str = "") -> str:
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({metric}{{{where}}}{IN})){times}"


def quantile(share: float, metric: str, by: str = "", where: str = OF) -> str:
    group = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({group}) (rate({metric}_bucket{{{where}}}{IN})))"


def percentiles(metric: str, where: str = OF) -> tuple[tuple[str, str], ...]:
    return tuple((f"p{share * 100:g}", quantile(share, metric, where=where)) for share in (0.5, 0.9, 0.99))


FAILED = f'{OF}, error_type!=""'
TOOL_FAILED = f'{SERVICE}, gen_ai_operation_name="execute_tool", status_code="STATUS_CODE_ERROR"'
ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Runs",
        (
            Panel(
                "Runs by status, a minute",
                "short",
                (
                    (
                        "{{runspan_run_status}}",
                        rate("runspan_runs_total", "runspan_run_status", times=" * 60"),
                    ),
                ),
                stacked=True,
                about="The last status the API gave; for a run whose end nobody saw, why.",
            ),
            Panel(
                "Failed runs by error, a minute",
                "short",
                (("{{error_type}}", rate("runspan_runs_total", "error_type", FAILED, " * 60")),),
                stacked=True,
            ),
            Panel(
                "Failed share",
                "percentunit",
                (("failed", f"{rate('runspan_runs_total', where=FAILED)} / {rate('runspan_runs_total')}"),),
                kind="stat",
            ),
        ),
    ),
    (
        "Time",
        (
            Panel("How long a run takes", "s", percentiles(DURATION)),
            Panel("How long it is queued", "s", percentiles("runspan_run_queue_time_seconds")),
            Panel("How long it waits for the app's tools", "s", percentiles("runspan_run_tool_wait_seconds")),
            Panel(
                "p90 by assistant",
                "s",
                (("{{gen_ai_agent_name}}", quantile(0.9, DURATION, "gen_ai_agent_name")),),
            ),
            Panel(
                "Detection lag",
                "s",
                percentiles("runspan_run_detection_lag_seconds"),
                about="How long after a run's end the app noticed it: its polling interval, or worse.",
            ),
            Panel(
                "p90 of the app's own functions",
                "s",
                (
                    (
                        "{{span_name}}",
                        quantile(
                            0.9,
                            "traces_span_metrics_duration_seconds",
                            "span_name",
                            f'{SERVICE}, gen_ai_operation_name=""',
                        ),
                    ),
                ),
                about="Spans of @observe, through the spanmetrics connector.",
            ),
        ),
    ),
    (
        "Tokens and money",
        (
            Panel(
                "Tokens a minute, by model",
                "short",
                (
                    (
                        "{{gen_ai_request_model}} {{gen_ai_token_type}}",
                        rate(
                            "gen_ai_client_token_usage_sum",
                            "gen_ai_request_model, gen_ai_token_type",
                            times=" * 60",
                        ),
                    ),
                ),
                wide=6,
                stacked=True,
            ),
            Panel(
                "Tokens a minute, by assistant",
                "short",
                (
                    (
                        "{{gen_ai_agent_name}}",
                        rate("gen_ai_client_token_usage_sum", "gen_ai_agent_name", times=" * 60"),
                    ),
                ),
                wide=6,
                stacked=True,
            ),
            Panel(
                "Cost an hour, by model",
                "short",
                (
                    (
                        "{{gen_ai_request_model}} {{runspan_cost_currency}}",
                        rate(
                            "runspan_run_cost_total",
                            "gen_ai_request_model, runspan_cost_currency",
                            times=" * 3600",
                        ),
                    ),
                ),
                wide=6,
                stacked=True,
            ),
            Panel(
                "Cost an hour, by assistant",
                "short",
                (
                    (
                        "{{gen_ai_agent_name}} {{runspan_cost_currency}}",
                        rate(
                            "runspan_run_cost_total",
                            "gen_ai_agent_name, runspan_cost_currency",
                            times=" * 3600",
                        ),
                    ),
                ),
                wide=6,
                stacked=True,
            ),
        ),
    ),
    (
        "Tools",
        (
            Panel(
                "Tool calls a minute",
                "short",
                (("{{gen_ai_tool_name}}", rate(f"{TOOLS}_count", "gen_ai_tool_name", SERVICE, " * 60")),),
            ),
            Panel(
                "p90 by tool",
                "s",
                (("{{gen_ai_tool_name}}", quantile(0.9, TOOLS, "gen_ai_tool_name", SERVICE)),),
            ),
            Panel(
                "Tool errors a minute",
                "short",
                (
                    (
                        "{{gen_ai_tool_name}} {{error_type}}",
                        rate(
                            "traces_span_metrics_calls_total",
                            "gen_ai_tool_name, error_type",
                            TOOL_FAILED,
                            " * 60",
                        ),
                    ),
                ),
                about="By the spanmetrics connector, which also sees the app's own functions fail; the API does not.",
            ),
        ),
    ),
    (
        "runspan itself",
        (
            Panel(
                "Dropped observations by cause, a minute",
                "short",
                (("{{runspan_cause}}", rate("runspan_dropped_total", "runspan_cause", SERVICE, " * 60")),),
                wide=24,
                about="Anything above zero is data that is missing here and in the traces.",
            ),
        ),
    ),
)


def panels() -> Iterator[dict[str, Any]]:
    """Rows and panels, placed on the grid from left to right."""
    number, top = 0, 0
    for title, row in ROWS:
        number, left = number + 1, 0
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": _place(0, top, WIDTH, 1),
        }
        top += 1
        for panel in row:
            number += 1
            if left + panel.wide > WIDTH:
                left, top = 0, top + HEIGHT
            yield _panel(number, panel, _place(left, top, panel.wide, HEIGHT))
            left += panel.wide
        top += HEIGHT


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    custom = {"stacking": {"mode": "normal"}, "fillOpacity": 30} if panel.stacked else {}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        **({"description": panel.about} if panel.about else {}),
        "datasource": PROMETHEUS,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, **({"custom": custom} if custom else {})},
            "overrides": [],
        },
        "options": {},
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": PROMETHEUS, "expr": expr, "legendFormat": legend}
            for i, (legend, expr) in enumerate(panel.queries)
        ],
    }


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def dashboard() -> dict[str, Any]:
    return {
        "uid": "runspan",
        "title": "Assistants: runs",
        "tags": ["runspan", "genai"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "annotations": {"list": []},
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Source",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {"text": "Prometheus", "value": "prometheus"},
                },
                _variable("service", "Service", "label_values(runspan_runs_total, job)"),
                _variable(
                    "model",
                    "Model",
                    'label_values(runspan_runs_total{job=~"$service"}, gen_ai_request_model)',
                ),
                _variable(
                    "assistant",
                    "Assistant",
                    'label_values(runspan_runs_total{job=~"$service"}, gen_ai_agent_name)',
                ),
            ]
        },
        "panels": list(panels()),
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
    print(TARGET)
