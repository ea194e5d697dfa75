"""Jaeger: OTLP over HTTP and gRPC in, its query API out (both of them: `/api`, which its page uses, and `/api/v3`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

from backends.installs import JAEGER, LOGS
from backends.report import At, Check
from backends.servers import ask, running, until
from backends.shown import Reads, generations, in_words, key
from backends.told import Seen, Told, agreeing, compared, delivered, play

QUERY = "http://127.0.0.1:16686"
TRANSPORTS = (("HTTP", "http://127.0.0.1:4318", "http/protobuf"), ("gRPC", "http://127.0.0.1:4317", "grpc"))

SHOWS: Reads = {
    "model asked for": key("gen_ai.request.model"),
    "tokens in": key("gen_ai.usage.input_tokens"),
    "tokens out": key("gen_ai.usage.output_tokens"),
    "tokens cached": key("gen_ai.usage.cache_read.input_tokens"),
    "tokens written to the cache": key("gen_ai.usage.cache_creation.input_tokens"),
    "tokens of reasoning": key("gen_ai.usage.reasoning.output_tokens"),
    "question": lambda seen: _said(seen, "gen_ai.system_instructions", "gen_ai.input.messages"),
    "answer": lambda seen: _said(seen, "gen_ai.output.messages", but="tool"),
}


def jaeger(*more: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """In memory, on the ports of its own defaults unless `more` says otherwise."""
    env = {
        "OTEL_TRACES_SAMPLER": "always_off"
    }  # it traces its own API, to the port where our Collector listens
    return running(
        [JAEGER.ensure(), *more], log=LOGS / "jaeger-run.log", ready=f"{QUERY}/api/services", env=env
    )


def checks() -> Iterator[Check]:
    with jaeger():
        for transport, endpoint, protocol in TRANSPORTS:
            service = f"tutor-{transport.lower()}"
            told = play(endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_SERVICE_NAME=service)
            at = At("Jaeger", JAEGER.version, transport)
            yield from _asked(at, service, told)


def _tagged(service: str, key: str, value: str) -> list[dict[str, Any]]:
    wanted = quote(json.dumps({key: value}))
    found: list[dict[str, Any]] = ask(f"{QUERY}/api/traces?service={service}&tags={wanted}&lookback=1h")[
        "data"
    ]
    return found


def _said(seen: Seen, *keys: str, but: str = "") -> str:
    """The texts of messages, or the results or names of the calls in them; `but`: not those of this role."""
    items = [item for name in keys for item in json.loads(seen.attributes.get(name, "[]"))]
    parts = [part for item in items if item.get("role") != but for part in item.get("parts", [item])]
    results = [json.dumps(part["response"]) if "response" in part else part.get("content") for part in parts]
    return in_words(results, [part["name"] for part in parts if "name" in part])


def _asked(at: At, service: str, told: Told) -> Iterator[Check]:
    yield delivered(at, told)
    seen = spans_of(service, len(told.spans))
    yield at.holds("service", service in ask(f"{QUERY}/api/services")["data"], service, service)
    names = {s["name"] for s in told.spans}
    operations = set(ask(f"{QUERY}/api/services/{service}/operations")["data"])
    yield at.same("operations", len(names), len(operations & names))
    yield from compared(at, told, seen)
    yield from generations(at, told, seen, SHOWS)
    ids = [span["attributes"]["gen_ai.response.id"] for span in told.of("chat")]
    yield at.same(
        "search by its id: traces",
        *agreeing([(1, len(_tagged(service, "gen_ai.response.id", id_))) for id_ in ids]),
    )
    run = next(s for s in told.of("invoke_agent") if s["is_error"])
    (trace,) = ask(f"{QUERY}/api/traces/{run['trace']}")["data"]
    flagged = [s for s in trace["spans"] if tags(s).get("error") is True]
    yield at.same("a failed run's trace: spans in error", 2, len(flagged))
    (span,) = [s for s in trace["spans"] if s["spanID"] == run["span"]]
    events = [next(f["value"] for f in log["fields"] if f["key"] == "event") for log in span["logs"]]
    yield at.same("  its event", "exception", events[-1])
    # Not error=true: its memory store takes the text "true" for no boolean, and finds nothing by it.
    found = _tagged(service, "error.type", "rate_limit_exceeded")
    yield at.same("search by error.type: traces", [run["trace"]], [trace["traceID"] for trace in found])
    v3 = ask(f"{QUERY}/api/v3/traces/{run['trace']}")["result"]["resourceSpans"]
    in_v3 = [s["name"] for r in v3 for scope in r["scopeSpans"] for s in scope["spans"]]
    sent = [s["name"] for s in told.spans if s["trace"] == run["trace"]]
    yield at.same("the same trace of /api/v3", sorted(sent), sorted(in_v3))


def spans_of(service: str, at_least: int) -> list[Seen]:
    """All spans of a service, once there are so many."""

    def find() -> list[Seen]:
        data = ask(f"{QUERY}/api/traces?service={service}&limit=1500&lookback=1h")["data"]
        return [_seen(span) for trace in data for span in trace["spans"]]

    return until(find, lambda found: len(found) >= at_least)


def _seen(span: Mapping[str, Any]) -> Seen:
    parent = next((r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"), None)
    is_error, duration_ns = tags(span).get("error") is True, span["duration"] * 1_000
    return Seen(
        span["traceID"], span["spanID"], parent, span["operationName"], duration_ns, is_error, tags(span)
    )


def tags(span: Mapping[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}
