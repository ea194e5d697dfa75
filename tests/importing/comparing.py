"""A run played live and the same run imported, as values that can be compared; and what differs by nature."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from runspan.importing import Importer, Report

# What only a live client knows, or what the import says of itself. docs/archives.md lists the same.
ONLY_LIVE = (
    "runspan.run.polls",
    "runspan.run.detection_lag_s",
    "runspan.run.tool_wait_s",
    "gen_ai.response.time_to_first_chunk",
    "server.address",
    "server.port",
)
BY_CLOCK = ("runspan.run.queue_s", "runspan.run.active_s", "runspan.run.end_uncertainty_s")
OF_IMPORT = ("runspan.run.origin",)
WHERE = ("gen_ai.provider.name", "llm.provider", "llm.system")  # read off the address, which no archive has
LIVE_EVENTS = frozenset({"first_token"})
MODEL = "gen_ai.request.model"  # a response tells the dated model alone, whatever name was asked for
LEFT_ASIDE = frozenset((*ONLY_LIVE, *BY_CLOCK, *OF_IMPORT, *WHERE, MODEL))

Shown = dict[str, list[dict[str, Any]]]  # run id -> spans, sorted


def imported(*paths: Path, objects: Iterable[Any] = (), **options: Any) -> tuple[list[ReadableSpan], Report]:
    """Spans and report of an import into memory."""
    exporter = InMemorySpanExporter()
    with Importer(exporter=exporter, **options) as importer:
        if paths:
            importer.read(*paths)
        for one in objects:
            importer.add(one)
        report = importer.finish()
        return list(exporter.get_finished_spans()), report


def shown(spans: Iterable[ReadableSpan]) -> Shown:
    """By run: name, kind, status, events by name, attributes; without times, ids, and what differs by nature."""
    found: Shown = {}
    by_id = {span.context.span_id: span for span in spans}
    for span in by_id.values():
        found.setdefault(_run_of(span, by_id), []).append(_facts(span))
    for of_run in found.values():
        of_run.sort(key=lambda one: (one["name"], json.dumps(one, sort_keys=True)))
    return found


def _run_of(span: ReadableSpan, by_id: Mapping[int, ReadableSpan]) -> str:
    attributes = span.attributes or {}
    own = attributes.get("runspan.run.id") or attributes.get("gen_ai.response.id")
    if own is None and span.parent is not None and span.parent.span_id in by_id:
        return _run_of(by_id[span.parent.span_id], by_id)
    return str(own)


def _facts(span: ReadableSpan) -> dict[str, Any]:
    attributes = {key: value for key, value in (span.attributes or {}).items() if key not in LEFT_ASIDE}
    return {
        "name": _name(span),
        "kind": span.kind.name,
        "events": sorted(event.name for event in span.events if event.name not in LIVE_EVENTS),
        "status": [span.status.status_code.name, span.status.description],
        "attributes": {key: _plain(value) for key, value in sorted(attributes.items())},
    }


def _name(span: ReadableSpan) -> str:
    """Without a model's."""
    return "chat" if span.name.startswith("chat ") else span.name


def _plain(value: Any) -> Any:
    """JSON without the order of its keys, which the client's models have their own of."""
    if isinstance(value, tuple):
        return list(value)
    return json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value


def differences(live: Shown, past: Shown, *, with_events: bool = False) -> list[str]:
    """In words, for a failing test. An export tells of no status between the first and the last."""
    parts = ("kind", "status", "events") if with_events else ("kind", "status")
    told: list[str] = [
        f"{run}: only {'live' if run in live else 'imported'}" for run in sorted(live.keys() ^ past.keys())
    ]
    for run in sorted(live.keys() & past.keys()):
        a, b = live[run], past[run]
        if [one["name"] for one in a] != [one["name"] for one in b]:
            told.append(f"{run}: spans {[o['name'] for o in a]} / {[o['name'] for o in b]}")
            continue
        for one, other in zip(a, b, strict=True):
            told += [
                f"{run} {one['name']} {part}: {one[part]} / {other[part]}"
                for part in parts
                if one[part] != other[part]
            ]
            keys = sorted(one["attributes"].keys() | other["attributes"].keys())
            told += [
                f"{run} {one['name']} {key}: {one['attributes'].get(key)!r} / {other['attributes'].get(key)!r}"
                for key in keys
                if one["attributes"].get(key) != other["attributes"].get(key)
            ]
    return told
