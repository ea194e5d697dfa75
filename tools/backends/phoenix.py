"""Arize Phoenix: spans, kinds, tokens, cost from its price table, sessions; over HTTP protobuf and over gRPC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import Any

from backends.installs import LOGS, PHOENIX
from backends.report import At, Check
from backends.servers import ask, running, until
from backends.shown import Reads, generations, in_words, key
from backends.told import Seen, Told, agreeing, compared, delivered, play

PAGE = "http://127.0.0.1:6006"
TRANSPORTS = (("HTTP", "http/protobuf"), ("gRPC", "grpc"))
KINDS = {"invoke_agent": "AGENT", "chat": "LLM", "execute_tool": "TOOL"}
SETTINGS = {
    "PHOENIX_HOST": "127.0.0.1",  # binds the page alone; its gRPC receiver listens on all interfaces
    "PHOENIX_PORT": "6006",
    "PHOENIX_GRPC_PORT": "4317",
    "PHOENIX_TELEMETRY_ENABLED": "false",
}
QUERY = """{projects{edges{node{name traceCount tokenCountPrompt tokenCountCompletion
  costSummary{total{cost}}
  sessions(first: 50){edges{node{sessionId numTraces}}}
  spans(first: 500){edges{node{spanId name spanKind statusCode input{value} output{value}
  tokenCountTotal costSummary{total{cost}}}}}}}}}"""

SHOWS: Reads = {
    "model asked for": key("llm.model_name"),
    "tokens in": key("llm.token_count.prompt"),
    "tokens out": key("llm.token_count.completion"),
    "tokens cached": key("llm.token_count.prompt_details.cache_read"),
    "tokens written to the cache": key("llm.token_count.prompt_details.cache_write"),
    "tokens of reasoning": key("llm.token_count.completion_details.reasoning"),
    "question": lambda seen: _said(seen, "llm.input_messages"),
    "answer": lambda seen: _said(seen, "llm.output_messages", but="tool"),
}


@contextmanager
def phoenix() -> Iterator[None]:
    with TemporaryDirectory() as folder:
        env = {"PHOENIX_WORKING_DIR": folder, **SETTINGS}
        log, ready = LOGS / "phoenix.log", f"{PAGE}/healthz"
        with running([PHOENIX.ensure(), "serve"], log=log, ready=ready, env=env, cwd=folder):
            yield


def checks() -> Iterator[Check]:
    with phoenix():
        for transport, protocol in TRANSPORTS:
            at = At("Phoenix", PHOENIX.version, transport)
            project = f"scenes-{transport.lower()}"
            told = play(
                RUNSPAN_BACKEND="phoenix",
                PHOENIX_COLLECTOR_ENDPOINT=PAGE,
                PHOENIX_PROJECT_NAME=project,
                OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                APP_SESSION=project,  # Phoenix knows a session by its id alone, whatever the project
            )
            yield from _asked(at, project, told)


def _said(seen: Seen, prefix: str, but: str = "") -> str:
    """The texts of messages, or the names of the functions that they call, in order; `but`: not those of this role."""
    roles = {k.removesuffix("role"): v for k, v in seen.attributes.items() if k.endswith(".message.role")}
    left_out = tuple(message for message, role in roles.items() if role == but)
    found = [
        (k, v) for k, v in seen.attributes.items() if k.startswith(prefix) and not k.startswith(left_out)
    ]
    found.sort(key=lambda item: [int(word) if word.isdigit() else 0 for word in item[0].split(".")])
    texts = (v for k, v in found if k.endswith((".message.content", ".message_content.text")))
    return in_words(texts, (v for k, v in found if k.endswith(".function.name")))


def _project(name: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What its page shows of a project, and of each span by id."""
    edges = ask(f"{PAGE}/graphql", {"query": QUERY})["data"]["projects"]["edges"]
    facts = next(e["node"] for e in edges if e["node"]["name"] == name)
    return facts, {e["node"]["spanId"]: e["node"] for e in facts["spans"]["edges"]}


def _asked(at: At, project: str, told: Told) -> Iterator[Check]:
    yield delivered(at, told)
    made = told.more["asked"]
    seen = until(lambda: _spans(project), lambda found: len(found) >= len(told.spans))
    yield from compared(at, told, seen, grain_ns=2_000)
    yield from generations(at, told, seen, SHOWS)
    for operation, kind in KINDS.items():
        kinds = {s.attributes["openinference.span.kind"] for s in _of(seen, operation)}
        yield at.same(f"kind of {operation}", {kind}, kinds)
    facts, nodes = _project(project)
    sent = [sum(one[key] or 0 for one in made) for key in ("tokens in", "tokens out")]
    yield at.same("tokens of the project", sent, [facts["tokenCountPrompt"], facts["tokenCountCompletion"]])
    yield at.same("traces", len(told.traces), facts["traceCount"])
    sessions = Counter({one["scene"]: one["session"] for one in made}.values())
    found = {edge["node"]["sessionId"]: edge["node"]["numTraces"] for edge in facts["sessions"]["edges"]}
    yield at.same("sessions: their traces", dict(sessions), found)
    chats = [nodes[span["span"]] for span in told.of("chat")]
    answers = sorted(one["answer"].partition("\n")[0] for one in made)
    listed = sorted((row["output"] or {}).get("value", "") for row in chats)
    starts = [(True, text.startswith(answer)) for answer, text in zip(answers, listed, strict=True)]
    yield at.same("answers in the list", *agreeing(starts))
    rows = [*chats, *(nodes[span["span"]] for span in told.of("invoke_agent"))]
    questions = [(True, bool(row["input"] and row["input"]["value"])) for row in rows]
    yield at.same("questions in the list", *agreeing(questions))
    costs = [
        (bool(span["attributes"].get("gen_ai.usage.cost")), row["costSummary"])
        for span, row in zip(told.of("chat"), chats, strict=True)
    ]
    priced = [(is_priced, bool(cost and cost["total"]["cost"])) for is_priced, cost in costs]
    yield at.same("cost, by its price table", *agreeing(priced))


def _of(seen: list[Seen], operation: str) -> list[Seen]:
    return [s for s in seen if s.attributes.get("gen_ai.operation.name") == operation]


def _spans(project: str) -> list[Seen]:
    return [_seen(span) for span in ask(f"{PAGE}/v1/projects/{project}/spans?limit=1000")["data"]]


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
