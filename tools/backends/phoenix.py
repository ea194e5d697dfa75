"""Arize Phoenix: spans, kinds, tokens, cost from its price table, sessions; over HTTP protobuf and over gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .installs import LOGS, PHOENIX
from .report import At, Check
from .servers import ask, running, until
from .told import Seen, Told, compared, play

PAGE = "http://127.0.0.1:6006"
TRANSPORTS = (("HTTP", "http/protobuf"), ("gRPC", "grpc"))
KINDS = {"invoke_agent": "AGENT", "chat": "LLM", "execute_tool": "TOOL"}
QUERY = """{projects{edges{node{name traceCount tokenCountPrompt tokenCountCompletion
  costSummary{total{cost}}
  sessions(first: 50){edges{node{sessionId numTraces}}}
  spans(first: 500){edges{node{spanId name spanKind statusCode input{value} tokenCountTotal costSummary{total{cost}}}}}}}}}"""


@contextmanager
def phoenix() -> Iterator[None]:
    """PHOENIX_HOST binds the page alone; its gRPC receiver listens on all interfaces."""
    with TemporaryDirectory() as folder:
        env = {
            "PHOENIX_WORKING_DIR": folder,
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": "6006",
            "PHOENIX_GRPC_PORT": "4317",
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        with running(
            [PHOENIX.ensure(), "serve"],
            log=LOGS / "phoenix.log",
            ready=f"{PAGE}/healthz",
            env=env,
            cwd=Path(folder),
        ):
            yield


def checks() -> Iterator[Check]:
    with phoenix():
        for transport, protocol in TRANSPORTS:
            project = f"tutor-{transport.lower()}"
            told = play(
                RUNSPAN_BACKEND="phoenix",
                PHOENIX_COLLECTOR_ENDPOINT=PAGE,
                PHOENIX_PROJECT_NAME=project,
                OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                APP_SESSION=project,  # Phoenix knows a session by its id alone, whatever the project
            )
            yield from _asked(At("Phoenix", PHOENIX.version, transport), project, told)


def _asked(at: At, project: str, told: Told) -> Iterator[Check]:
    yield at.same("flush(), dropped, errors", (True, {}, {}), (told.flushed, told.dropped, told.errors))
    seen = until(lambda: _spans(project), lambda found: len(found) >= len(told.spans))
    yield from compared(at, told, seen, grain_ns=2_000)
    reasoning = "llm.token_count.completion_details.reasoning"
    found = sum((s.attributes or {}).get(reasoning, 0) for s in seen)
    yield at.same("reasoning tokens", told.total("gen_ai.usage.reasoning.output_tokens"), found)
    for operation, kind in KINDS.items():
        kinds = {
            s.attributes["openinference.span.kind"]
            for s in seen
            if s.attributes and s.attributes.get("gen_ai.operation.name") == operation
        }
        yield at.same(f"kind of {operation}", {kind}, kinds)
    facts = _project(project)
    sent = (told.total("gen_ai.usage.input_tokens"), told.total("gen_ai.usage.output_tokens"))
    yield at.same("tokens in, out", sent, (facts["tokenCountPrompt"], facts["tokenCountCompletion"]))
    yield at.same("traces", len(told.traces), facts["traceCount"])
    nodes = {e["node"]["spanId"]: e["node"] for e in facts["spans"]["edges"]}
    priced = [
        nodes[s["span"]]["costSummary"]["total"]["cost"]
        for s in told.of("chat")
        if s["attributes"].get("gen_ai.usage.input_tokens")
    ]
    yield at.holds(
        "cost of each generation, by its price table", all(priced), len(priced), sum(map(bool, priced))
    )
    sessions = {e["node"]["sessionId"]: e["node"]["numTraces"] for e in facts["sessions"]["edges"]}
    yield at.same("session: its traces", {project: len(told.traces)}, sessions)
    shown = [nodes[s["span"]]["input"] for s in told.of("invoke_agent")]
    yield at.same("runs with an input in the list", len(shown), sum(bool(i and i["value"]) for i in shown))
    chats = [s.attributes or {} for s in seen if (s.attributes or {}).get("gen_ai.operation.name") == "chat"]
    yield at.same(
        "generations as chat: with llm.input_messages", len(chats), sum(_is_chat(a, "input") for a in chats)
    )
    answered = [s for s in told.of("chat") if "gen_ai.output.messages" in s["attributes"]]
    yield at.same("  with llm.output_messages", len(answered), sum(_is_chat(a, "output") for a in chats))


def _is_chat(attributes: Any, side: str) -> bool:
    return any(key.startswith(f"llm.{side}_messages") for key in attributes)


def _project(name: str) -> Any:
    edges = ask(f"{PAGE}/graphql", {"query": QUERY})["data"]["projects"]["edges"]
    return next(e["node"] for e in edges if e["node"]["name"] == name)


def _spans(project: str) -> list[Seen]:
    found = ask(f"{PAGE}/v1/projects/{project}/spans?limit=1000")["data"]
    return [_seen(span) for span in found]


def _seen(span: dict[str, Any]) -> Seen:
    return Seen(
        span["context"]["trace_id"],
        span["context"]["span_id"],
        span.get("parent_id"),
        span["name"],
        _ns(span["end_time"]) - _ns(span["start_time"]),
        span["status_code"] == "ERROR",
        {**span["attributes"], "openinference.span.kind": span["span_kind"]},
    )


def _ns(iso: str) -> int:
    """Phoenix keeps microseconds."""
    return round(datetime.fromisoformat(iso).timestamp() * 1_000_000) * 1_000
