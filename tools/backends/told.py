"""What the app's process told of the spans it made, and how a backend's answer is held against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.report import At, Check
from processes import environment


@dataclass(frozen=True)
class Told:
    spans: list[dict[str, Any]]
    flushed: bool
    dropped: Mapping[str, int]
    errors: Mapping[str, int]
    more: Mapping[str, Any] = field(default_factory=dict)  # what the mode adds

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [s for s in self.spans if s["attributes"].get("gen_ai.operation.name") == operation]

    @property
    def traces(self) -> set[str]:
        return {s["trace"] for s in self.spans}


def play(
    where: str | None = None, mode: str = "scenes", options: Mapping[str, Any] | None = None, **env: str
) -> Told:
    """Run the app in a process of its own. `where`: its `OTEL_EXPORTER_OTLP_ENDPOINT`; None: a preset's variables are in `env`."""
    if where:
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = where
    slow = {"OTEL_EXPORTER_OTLP_TIMEOUT": "60"}  # as a backend is that has just started
    usual = {"OTEL_SERVICE_NAME": "tutor", "OTEL_METRICS_EXPORTER": "none", **slow}
    child = [sys.executable, "-W", "ignore", "-m", "backends.app", mode, json.dumps(options or {})]
    how: Any = {
        "env": environment(**{**usual, **env}),
        "stdout": subprocess.PIPE,
        "timeout": 300,
        "check": True,
    }
    facts = json.loads(subprocess.run(child, **how).stdout)
    return Told(*(facts.pop(name) for name in ("spans", "flushed", "dropped", "errors")), facts)


@dataclass(frozen=True)
class Seen:
    """One span as a backend gave it back. `None` where its API does not say."""

    trace: str
    span: str
    parent: str | None
    name: str
    duration_ns: int | None = None
    is_error: bool | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


ATTRIBUTES = (  # one of each type, and the ones that backends live on
    "gen_ai.operation.name", "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.input.messages",
    "gen_ai.output.messages", "gen_ai.tool.call.arguments", "runspan.run.status", "runspan.run.queue_s", "session.id",
    "error.type",
)  # fmt: skip
FACTS: tuple[tuple[str, Callable[[dict[str, Any]], Any], Callable[[Seen], Any]], ...] = (
    ("trace ids", lambda s: s["trace"], lambda s: s.trace),
    ("parents", lambda s: s["parent"], lambda s: s.parent),
    ("names", lambda s: s["name"], lambda s: s.name),
    ("error flags", lambda s: s["is_error"], lambda s: s.is_error),
)


def delivered(at: At, told: Told) -> Check:
    return at.same("flush(), dropped, errors", (True, {}, {}), (told.flushed, told.dropped, told.errors))


def compared(at: At, told: Told, seen: list[Seen], *, grain_ns: int = 1_000) -> Iterator[Check]:
    """Spans, parents, names, durations, error flags, attributes: each span's value held against what was sent."""
    yield at.same("spans", len(told.spans), len(seen))
    sent = {s["span"]: s for s in told.spans}
    both = [(sent[s.span], s) for s in seen if s.span in sent]
    yield at.same("  each once, known by id", len(sent), len({s.span for s in seen} & set(sent)))
    for what, of_sent, of_seen in FACTS:
        yield at.same(what, *agreeing([(of_sent(t), of_seen(s)) for t, s in both]))
    off = [abs(t["end_ns"] - t["start_ns"] - (s.duration_ns or 0)) for t, s in both]
    yield at.same("durations", *agreeing([(True, o <= grain_ns) for o in off]))
    for key in ATTRIBUTES:
        values = [(t["attributes"][key], s.attributes.get(key)) for t, s in both if key in t["attributes"]]
        yield at.same(key, *agreeing(values))


def agreeing(pairs: list[tuple[Any, Any]]) -> tuple[int, int]:
    """(how many were compared, how many agree): what a check prints."""
    return len(pairs), sum(_plain(sent) == _plain(found) for sent, found in pairs)


def _plain(value: Any) -> Any:
    """Numbers that went through text, JSON texts that came back parsed."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return round(value, 9) if isinstance(value, float) else value
