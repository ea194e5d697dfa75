"""MLflow: spans, types, tokens, cost, session, user, chat inputs; over HTTP protobuf (it takes no gRPC)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from backends.app import SESSION, USER
from backends.installs import LOGS, MLFLOW
from backends.report import At, Check
from backends.servers import ask, running, until
from backends.told import Seen, Told, compared, delivered, play

PAGE = "http://127.0.0.1:5000"
TYPES = {"invoke_agent": "AGENT", "chat": "CHAT_MODEL", "execute_tool": "TOOL"}
EXPERIMENT = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]}


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
        told = play(RUNSPAN_BACKEND="mlflow", MLFLOW_TRACKING_URI=PAGE, MLFLOW_EXPERIMENT_ID="0")
        yield from _asked(At("MLflow", MLFLOW.version, "HTTP"), told)


def _asked(at: At, told: Told) -> Iterator[Check]:
    yield delivered(at, told)
    traces = until(_traces, lambda found: len(found) >= len(told.traces))
    seen = until(lambda: _spans(traces), lambda found: len(found) >= len(told.spans))
    yield from compared(at, told, seen, grain_ns=0)
    for operation, kind in TYPES.items():
        yield at.same(f"type of {operation}", {kind}, {s["mlflow.spanType"] for s in _of(seen, operation)})
    facts = [trace["trace_metadata"] for trace in traces]
    used = [json.loads(f["mlflow.trace.tokenUsage"]) for f in facts]
    for key, name in (
        ("input_tokens", "input"),
        ("output_tokens", "output"),
        ("cache_read_input_tokens", "cached"),
    ):
        sent = told.total(f"gen_ai.usage.{'cache_read.input_tokens' if name == 'cached' else key}")
        yield at.same(f"tokens, {name}", sent, sum(u.get(key, 0) for u in used))
    priced = sum(json.loads(f.get("mlflow.trace.cost", "{}")).get("total_cost", 0) > 0 for f in facts)
    with_tokens = sum(s["attributes"].get("gen_ai.usage.input_tokens", 0) > 0 for s in told.of("chat"))
    yield at.same("traces with a cost", with_tokens, priced)
    yield at.same("session of each trace", {SESSION}, {f["mlflow.trace.session"] for f in facts})
    yield at.same("user of each trace", {USER}, {f["mlflow.trace.user"] for f in facts})
    chats = _of(seen, "chat")
    roles = [[m["role"] for m in chat["mlflow.spanInputs"]["messages"]] for chat in chats]
    yield at.same("chats with system prompt and question", [["system", "user"]] * len(chats), roles)
    said = [c["mlflow.spanOutputs"]["choices"][-1]["message"]["content"] for c in chats]
    outputs = [json.loads(span["attributes"]["gen_ai.output.messages"]) for span in told.of("chat")]
    yield at.same("  and their answers", sorted(o[-1]["parts"][0]["content"] for o in outputs), sorted(said))


def _of(seen: list[Seen], operation: str) -> list[Mapping[str, Any]]:
    return [s.attributes for s in seen if s.attributes.get("gen_ai.operation.name") == operation]


def _traces() -> list[dict[str, Any]]:
    search = f"{PAGE}/api/3.0/mlflow/traces/search"
    found: list[dict[str, Any]] = ask(search, {**EXPERIMENT, "max_results": 50})["traces"]
    return found


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
