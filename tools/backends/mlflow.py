"""MLflow: spans, types, tokens, cost, session, user, chat inputs; over HTTP protobuf (it takes no gRPC)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from backends.app import USER
from backends.installs import LOGS, MLFLOW
from backends.report import At, Check
from backends.servers import ask, running, until
from backends.shown import Reads, generations, in_words
from backends.told import Seen, Told, compared, delivered, play

PAGE = "http://127.0.0.1:5000"
TYPES = {"invoke_agent": "AGENT", "chat": "CHAT_MODEL", "execute_tool": "TOOL"}
EXPERIMENT = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]}


def _used(key: str, seen: Seen) -> int | None:
    tokens: int | None = seen.attributes.get("mlflow.chat.tokenUsage", {}).get(key)
    return tokens


TOKENS = {
    "tokens in": "input_tokens",
    "tokens out": "output_tokens",
    "tokens cached": "cache_read_input_tokens",
    "tokens written to the cache": "cache_creation_input_tokens",
}
SHOWS: Reads = {
    "model": lambda seen: seen.attributes.get("mlflow.llm.model"),
    **{what: partial(_used, name) for what, name in TOKENS.items()},
    "question": lambda seen: _said(seen.attributes["mlflow.spanInputs"]["messages"]),
    "answer": lambda seen: _said(
        [
            c["message"]
            for c in seen.attributes["mlflow.spanOutputs"]["choices"]
            if c["message"]["role"] != "tool"
        ]
    ),
}


@contextmanager
def mlflow() -> Iterator[None]:
    with TemporaryDirectory() as folder:
        where = ["--host", "127.0.0.1", "--port", "5000", "--workers", "1"]
        where += [
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            f"{folder}/artifacts",
        ]
        env = {"MLFLOW_DISABLE_TELEMETRY": "true"}
        log, ready = LOGS / "mlflow.log", f"{PAGE}/health"
        with running([MLFLOW.ensure(), "server", *where], log=log, ready=ready, env=env, cwd=folder):
            yield


def checks() -> Iterator[Check]:
    with mlflow():
        at = At("MLflow", MLFLOW.version, "HTTP")
        told = play(RUNSPAN_BACKEND="mlflow", MLFLOW_TRACKING_URI=PAGE, MLFLOW_EXPERIMENT_ID="0")
        yield from _asked(at, told)


def _said(messages: list[dict[str, Any]]) -> str:
    """The texts of messages, or the names of the functions that they call."""
    calls = (call["function"]["name"] for message in messages for call in message.get("tool_calls", ()))
    return in_words((message["content"] for message in messages), calls)


def _asked(at: At, told: Told) -> Iterator[Check]:
    yield delivered(at, told)
    traces = until(lambda: _traces(told), lambda found: len(found) >= len(told.traces))
    seen = until(lambda: _spans(traces), lambda found: len(found) >= len(told.spans))
    yield from compared(at, told, seen, grain_ns=0)
    yield from generations(at, told, seen, SHOWS)
    for operation, kind in TYPES.items():
        yield at.same(f"type of {operation}", {kind}, {s["mlflow.spanType"] for s in _of(seen, operation)})
    facts = [trace["trace_metadata"] for trace in traces]
    used = [json.loads(f.get("mlflow.trace.tokenUsage", "{}")) for f in facts]
    for what, key in TOKENS.items():
        sent = sum(one[what] or 0 for one in told.more["asked"])
        yield at.same(f"{what}, of the traces", sent, sum(u.get(key, 0) for u in used))
    cost = sum(span["attributes"].get("gen_ai.usage.cost", 0.0) for span in told.spans)
    costs = [json.loads(f.get("mlflow.trace.cost", "{}")).get("total_cost", 0.0) for f in facts]
    yield at.same("cost of the traces", round(cost, 9), round(sum(costs), 9))
    sessions = {one["scene"]: one["session"] for one in told.more["asked"]}.values()
    yield at.same("session of each trace", sorted(sessions), sorted(f["mlflow.trace.session"] for f in facts))
    yield at.same("user of each trace", {USER}, {f["mlflow.trace.user"] for f in facts})


def _of(seen: list[Seen], operation: str) -> list[Mapping[str, Any]]:
    return [s.attributes for s in seen if s.attributes.get("gen_ai.operation.name") == operation]


def _traces(told: Told) -> list[dict[str, Any]]:
    search = f"{PAGE}/api/3.0/mlflow/traces/search"
    found: list[dict[str, Any]] = ask(search, {**EXPERIMENT, "max_results": 50})["traces"]
    return [trace for trace in found if trace["trace_id"].removeprefix("tr-") in told.traces]


def _spans(traces: list[dict[str, Any]]) -> list[Seen]:
    where = f"{PAGE}/ajax-api/3.0/mlflow/get-trace-artifact?request_id="
    return [_seen(span) for trace in traces for span in ask(where + trace["trace_id"])["spans"]]


def _seen(span: dict[str, Any]) -> Seen:
    return Seen(
        _hex(span["trace_id"]),
        _hex(span["span_id"]),
        _hex(span["parent_span_id"]) if span["parent_span_id"] else None,
        span["name"],
        span["end_time_unix_nano"] - span["start_time_unix_nano"],
        span["status"]["code"] == "STATUS_CODE_ERROR",
        {key: _decoded(value) for key, value in span["attributes"].items()},
    )


def _decoded(value: Any) -> Any:
    """MLflow keeps each value as JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _hex(encoded: str) -> str:
    return base64.b64decode(encoded).hex()
