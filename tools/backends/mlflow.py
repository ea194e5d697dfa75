"""MLflow: spans, types, tokens, cost, session, user, chat inputs; over HTTP protobuf (it takes no gRPC)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .app import SESSION, USER
from .installs import LOGS, MLFLOW
from .report import At, Check
from .servers import ask, running, until
from .told import Seen, Told, compared, play

PAGE = "http://127.0.0.1:5000"
TYPES = {"invoke_agent": "AGENT", "chat": "CHAT_MODEL", "execute_tool": "TOOL"}
EXPERIMENT = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]}


@contextmanager
def mlflow() -> Iterator[None]:
    with TemporaryDirectory() as folder:
        arguments = ["server", "--host", "127.0.0.1", "--port", "5000", "--workers", "1"]
        store = [
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            f"{folder}/artifacts",
        ]
        with running(
            [MLFLOW.ensure(), *arguments, *store],
            log=LOGS / "mlflow.log",
            ready=f"{PAGE}/health",
            env={"MLFLOW_DISABLE_TELEMETRY": "true"},
            cwd=Path(folder),
        ):
            yield


def checks() -> Iterator[Check]:
    with mlflow():
        told = play(RUNSPAN_BACKEND="mlflow", MLFLOW_TRACKING_URI=PAGE, MLFLOW_EXPERIMENT_ID="0")
        yield from _asked(At("MLflow", MLFLOW.version, "HTTP"), told)


def _asked(at: At, told: Told) -> Iterator[Check]:
    yield at.same("flush(), dropped, errors", (True, {}, {}), (told.flushed, told.dropped, told.errors))
    traces = until(_traces, lambda found: len(found) >= len(told.traces))
    seen = until(lambda: _spans(traces), lambda found: len(found) >= len(told.spans))
    yield from compared(at, told, seen, grain_ns=0)
    for operation, kind in TYPES.items():
        types = {s["mlflow.spanType"] for s in _of(seen, operation)}
        yield at.same(f"type of {operation}", {kind}, types)
    facts = [trace["trace_metadata"] for trace in traces]
    used = [json.loads(f["mlflow.trace.tokenUsage"]) for f in facts]
    sent = (told.total("gen_ai.usage.input_tokens"), told.total("gen_ai.usage.output_tokens"))
    yield at.same(
        "tokens in, out", sent, tuple(sum(u[k] for u in used) for k in ("input_tokens", "output_tokens"))
    )
    cached = sum(u.get("cache_read_input_tokens", 0) for u in used)
    yield at.same("  of them cached", told.total("gen_ai.usage.cache_read.input_tokens"), cached)
    priced = sum(json.loads(f.get("mlflow.trace.cost", "{}")).get("total_cost", 0) > 0 for f in facts)
    yield at.same(
        "traces with a cost",
        sum(s["attributes"].get("gen_ai.usage.input_tokens", 0) > 0 for s in told.of("chat")),
        priced,
    )
    yield at.same("session of each trace", {SESSION}, {f["mlflow.trace.session"] for f in facts})
    yield at.same("user of each trace", {USER}, {f["mlflow.trace.user"] for f in facts})
    chats = _of(seen, "chat")
    asked = [c["mlflow.spanInputs"]["messages"] for c in chats]
    yield at.same(
        "chats with system prompt and question",
        [["system", "user"]] * len(chats),
        [[m["role"] for m in of] for of in asked],
    )
    said = [c["mlflow.spanOutputs"]["choices"][-1]["message"]["content"] for c in chats]
    yield at.same("  and their answers", sorted(map(_answer, told.of("chat"))), sorted(said))


def _answer(span: dict[str, Any]) -> str:
    text: str = json.loads(span["attributes"]["gen_ai.output.messages"])[-1]["parts"][0]["content"]
    return text


def _of(seen: list[Seen], operation: str) -> list[Mapping[str, Any]]:
    return [
        s.attributes for s in seen if s.attributes and s.attributes.get("gen_ai.operation.name") == operation
    ]


def _traces() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(
        f"{PAGE}/api/3.0/mlflow/traces/search", {**EXPERIMENT, "max_results": 50}
    )["traces"]
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
