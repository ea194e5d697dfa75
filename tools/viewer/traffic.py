"""Made-up exports of runs, ten spans each, and of one long trace; the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROTOBUF = "application/x-protobuf"
SPANS_PER_RUN = 10
START_NS = 1_790_000_000_000_000_000
DAYS_NS = 14 * 86_400 * 10**9
STATUSES = ("completed",) * 17 + ("failed", "expired", "incomplete")
MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini")
SYLLABLES = tuple("bakoritemalushadelorvipaquestofrinogramituwe"[at : at + 2] for at in range(0, 42, 2))


class Traffic:
    """Texts have the spread of real ones: few words are everywhere, most are rare."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        rnd = random.Random(0)
        self.words = [
            "".join(rnd.choices(SYLLABLES, k=rnd.randint(1, 4))) + str(n % 97) for n in range(30_000)
        ]
        self._weights = [1 / (rank + 5) for rank in range(len(self.words))]

    def export(self, runs: int) -> tuple[bytes, list[str]]:
        """(body, trace ids)."""
        request, scope = _request()
        ids = [self._random.randbytes(16) for _ in range(runs)]
        pool = iter(self._random.choices(self.words, self._weights, k=runs * 400))
        for trace in ids:
            self._run(scope, trace, pool)
        return request.SerializeToString(), [trace.hex() for trace in ids]

    def long_trace(self, spans: int, at_once: int = 10**9) -> tuple[list[bytes], str]:
        """(bodies, trace id) of one trace of this many spans, some levels deep, so many in a body."""
        trace = self._random.randbytes(16)
        made: list[Any] = []
        bodies: list[bytes] = []
        for n in range(spans):
            if n % at_once == 0:
                request, scope = _request()
            parent = self._random.choice(made[-40:]) if made else None
            start = 0 if parent is None else self._random.randrange(10**9)
            span = self._span(
                scope, trace, f"step {n}", parent, start, start + 10**9, {"input.value": f"item {n}"}
            )
            made.append(span)
            if (n + 1) % at_once == 0 or n + 1 == spans:
                bodies.append(request.SerializeToString())
        return bodies, trace.hex()

    def _run(self, scope: Any, trace: bytes, pool: Any) -> None:
        rnd = self._random

        def text(count: int) -> str:
            return " ".join(next(pool) for _ in range(count))

        question, answer = text(30), text(60)
        began = START_NS + rnd.randrange(DAYS_NS)
        seconds = rnd.lognormvariate(1, 0.7)
        took = int(seconds * 1e9)
        whose = {
            "gen_ai.conversation.id": f"thread_{rnd.randrange(30_000):024x}",
            "session.id": f"s-{rnd.randrange(20_000):x}",
            "user.id": f"user-{rnd.randrange(4_000)}",
        }

        def add(name: str, parent: Any, start: int, end: int, attributes: Mapping[str, Any]) -> Any:
            return self._span(scope, trace, name, parent, began + start, began + end, {**attributes, **whose})

        root = add("handle_message", None, 0, took, {"input.value": question})
        for name in ("create_message", "submit_tool_outputs"):
            add(name, root, 0, 10**7, {"gen_ai.operation.name": name})
        status, model = rnd.choice(STATUSES), rnd.choice(MODELS)
        of_run = {
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": f"Assistant {rnd.randrange(25)}",
            "runspan.run.id": f"run_{rnd.getrandbits(96):024x}", "runspan.run.status": status,
            "runspan.run.queue_s": seconds * 0.2, "runspan.run.active_s": seconds * 0.6,
            "runspan.run.tool_wait_s": seconds * 0.2, "runspan.run.detection_lag_s": 0.1, "runspan.run.polls": 7,
            "input.value": question, "output.value": answer, "server.address": "localhost",
        }  # fmt: skip
        run = add("invoke_agent Assistant", root, 10**7, took, of_run)
        for at, state in enumerate(("queued", "in_progress", "requires_action", "in_progress", status)):
            event = run.events.add(name=f"thread.run.{state}", time_unix_nano=began + at * took // 5)
            _put(event.attributes, {"runspan.run.status": state, "runspan.source": "server"})
        run.status.code = 2 if status in ("failed", "expired") else 0
        of_call = {
            "gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.response.model": model,
            "gen_ai.usage.input_tokens": rnd.randrange(100, 6_000), "gen_ai.usage.output_tokens": rnd.randrange(900),
            "gen_ai.usage.cost": rnd.random() / 20, "gen_ai.system_instructions": _messages(("system", "Be brief.")),
            "gen_ai.input.messages": _messages(("user", text(30)), ("assistant", text(60)), ("user", question)),
            "gen_ai.output.messages": _messages(("assistant", answer)),
        }  # fmt: skip
        add(f"chat {model}", run, took // 5, took, of_call)
        for n in range(SPANS_PER_RUN - 5):
            of_tool = {
                "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": f"lookup_{n}",
                "gen_ai.tool.call.id": f"call_{rnd.getrandbits(64):x}",
                "gen_ai.tool.call.arguments": json.dumps({"query": text(4)}),
                "gen_ai.tool.call.result": json.dumps({"found": text(15)}),
            }  # fmt: skip
            add(f"execute_tool lookup_{n}", run, took // 2, took * 3 // 5, of_tool)

    def _span(
        self, scope: Any, trace: bytes, name: str, parent: Any, start: int, end: int, attributes: Any
    ) -> Any:
        span = scope.spans.add(
            trace_id=trace, span_id=self._random.randbytes(8), name=name, kind=1,
            parent_span_id=parent.span_id if parent else b"", start_time_unix_nano=start, end_time_unix_nano=end,
        )  # fmt: skip
        _put(span.attributes, attributes)
        return span


def _request() -> tuple[ExportTraceServiceRequest, Any]:
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    _put(of_resource.resource.attributes, {"service.name": "bench", "telemetry.sdk.language": "python"})
    scope = of_resource.scope_spans.add()
    scope.scope.name = "runspan"
    return request, scope


def _put(into: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        field = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(into.add(key=key).value, field, value)


def _messages(*said: tuple[str, str]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in said])
