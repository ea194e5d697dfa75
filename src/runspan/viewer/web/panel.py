"""Everything one span has to say, in the order a reader wants it: what was said, what went in and out, the rest."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from runspan.viewer import conversation, units
from runspan.viewer.conversation import Part, Said
from runspan.viewer.dialects import normal
from runspan.viewer.endings import reason
from runspan.viewer.kinds import number, text, title, word
from runspan.viewer.messages import show
from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store import Run
from runspan.viewer.store.facts import SORTS, Facts, error
from runspan.viewer.store.rows import read
from runspan.viewer.web.render import count, money, took
from runspan.viewer.web.results import Block, Document, Tool, blocks, documents, tools
from runspan.viewer.web.waterfall import phases

DETAILS_EVENT = "gen_ai.client.inference.operation.details"  # a log record that holds what a span may not
CONTENT = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
MAX_EVENTS = 500
NOT_PRICED = "not priced: install runspan[cost], or give prices to instrument()"


@dataclass(frozen=True, slots=True)
class Note:
    """An event of the span or a log record in it."""

    name: str
    at: str
    attributes: Sequence[tuple[str, str]]


@dataclass(slots=True)
class Panel:
    """One span, ready to be shown."""

    span: Span
    kind: str
    title: str
    facts: Facts | None
    start: str
    took_s: float | None
    error: str
    reason: str = ""  # why it ended so, in words
    width_s: float | None = None  # how uncertain the times of a run are
    rows: list[tuple[str, str]] = field(default_factory=list)  # label, value
    phases: list[tuple[str, float]] = field(default_factory=list)  # kind, seconds
    system: str = ""
    earlier: tuple[Said, ...] = ()
    asked: tuple[Said, ...] = ()
    tools: list[Tool] = field(default_factory=list)
    answered: tuple[Said, ...] = ()
    blocks: list[Block] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)  # trace, span
    attributes: list[tuple[str, str]] = field(default_factory=list)
    resource: list[tuple[str, str]] = field(default_factory=list)
    raw: str = ""

    @property
    def has_content(self) -> bool:
        """Whether anything is shown above the attributes."""
        return bool(
            self.system or self.earlier or self.asked or self.answered or self.blocks or self.documents
        )


def panel(
    span: Span, below: Sequence[Span], logs: Iterable[LogRecord], trace_start_ns: int, run: Run | None = None
) -> Panel:
    """`below`: the run's own spans when it is one, `run`: its row with their sums; `logs`: the records of the trace."""
    records = [record for record in logs if record.span_id == span.span_id]
    sent, span = span, normal(span)
    below = list(map(normal, below))
    kind = word(span)[0]
    is_timed = 0 < span.start_ns <= span.end_ns
    made = Panel(
        span,
        kind,
        title(span) if run is None or span.name != "invoke_agent" else f"{span.name} {run.name}",
        read(span)[0],
        f"+{units.seconds((span.start_ns - trace_start_ns) / 1e9)}"
        if span.start_ns > trace_start_ns > 0
        else "",
        (span.end_ns - span.start_ns) / 1e9 if is_timed else None,
        error(span),
    )
    if made.facts is not None:
        made.width_s = number(span, "runspan.run.end_uncertainty_s")
        made.reason = reason(made.facts.status, made.facts.unfinished, made.error)
        made.rows = list(_rows(made.facts if run is None else run, made.facts.sort))
        if made.facts.sort == "run" and any(key.startswith("runspan.run.") for key in span.attributes):
            made.phases = summed(span, made.facts)
    sort = SORTS.get(kind)
    if sort == "run":
        _exchange(made, span, below, logs)
    elif sort == "llm":
        _conversation(made, _with_content(span, records))
        made.tools, made.answered = tools(below), _spoken(made.answered, below)
    if not (made.asked or made.answered):
        made.blocks = list(blocks(span, kind))
    made.documents = list(documents(span))
    made.notes = list(_notes(span, records))
    made.links = [(link.trace_id, link.span_id) for link in span.links]
    made.attributes = shown(sent.attributes)
    made.resource = shown({**span.resource, "otel.scope": f"{span.scope} {span.scope_version}".strip()})
    made.raw = raw(sent)
    return made


def summed(span: Span, facts: Facts | None) -> list[tuple[str, float]]:
    """Seconds of each phase; the run's own sums where it gives them."""
    own = (
        {} if facts is None else {"queue": facts.queue_s, "active": facts.active_s, "wait": facts.tool_wait_s}
    )
    drawn: dict[str, float] = {}
    for kind, start_ns, end_ns in phases(span):
        drawn[kind] = drawn.get(kind, 0.0) + (end_ns - start_ns) / 1e9
    found = [
        (kind, drawn.get(kind, 0.0) if own.get(kind) is None else own[kind] or 0.0)
        for kind in ("queue", "active", "wait")
    ]
    found = [(kind, seconds) for kind, seconds in found if seconds or kind == "active"]
    return [*found, ("lag", facts.lag_s)] if facts and facts.lag_s else found


def model_calls(spans: Iterable[Span], logs: Iterable[LogRecord]) -> list[Span]:
    """The model calls among these, by start, with the content that went on log records."""
    records = [record for record in logs if record.event_name == DETAILS_EVENT]
    calls = sorted((s for s in spans if SORTS.get(word(s)[0]) == "llm"), key=lambda span: span.start_ns)
    return [_with_content(call, [r for r in records if r.span_id == call.span_id]) for call in calls]


def exchange(
    run: Span, below: Sequence[Span], logs: Iterable[LogRecord]
) -> tuple[tuple[Said, ...], tuple[Said, ...]]:
    """(asked, answered) of a run: its first model call's new messages and its last one's answer, else its own texts."""
    run, below = normal(run), list(map(normal, below))
    calls = model_calls(below, logs) or ([run] if SORTS.get(word(run)[0]) == "llm" else [])
    attributes = [call.attributes for call in calls] or [run.attributes]
    asked = conversation.new(conversation.given(attributes[0]))
    answered = conversation.answered(attributes[-1])
    asked, answered = _spoken(asked, below), _spoken(answered, below)
    return asked or _plain(run, "input.value", "user"), answered or _plain(run, "output.value", "assistant")


def _spoken(saids: Iterable[Said], below: Sequence[Span]) -> tuple[Said, ...]:
    """The messages without those that are only calls whose tools have spans of their own, with times, among `below`."""
    if not tools(below):
        return tuple(saids)
    ids = {text(span, "gen_ai.tool.call.id") for span in below} - {""}
    return tuple(said for said in saids if not said.parts or any(_is_news(part, ids) for part in said.parts))


def _is_news(part: Part, ids: Container[str]) -> bool:
    """Whether no span shows it. A call without an id is taken for one that a span shows."""
    return part.kind not in ("tool_call", "tool_result") or bool(part.id and ids and part.id not in ids)


def _plain(span: Span, key: str, role: str) -> tuple[Said, ...]:
    value = span.attributes.get(key)
    return () if value in (None, "") else (Said(role, (Part("text", show(value)),)),)


def _exchange(made: Panel, span: Span, below: Sequence[Span], logs: Iterable[LogRecord]) -> None:
    made.asked, made.answered = exchange(span, below, list(logs))
    made.tools = tools(below)


def _conversation(made: Panel, span: Span) -> None:
    inputs = conversation.given(span.attributes)
    made.system = conversation.instructions(span.attributes)
    made.asked = conversation.new(inputs)
    made.earlier = inputs[: len(inputs) - len(made.asked)]
    made.answered = conversation.answered(span.attributes)


def _with_content(span: Span, records: Iterable[LogRecord]) -> Span:
    found = {
        key: record.attributes[key]
        for record in records
        if record.event_name == DETAILS_EVENT
        for key in CONTENT
        if key in record.attributes
    }
    return replace(span, attributes={**found, **span.attributes}) if found else span


def _rows(facts: Facts | Run, sort: str) -> Iterator[tuple[str, str]]:
    if sort == "run":
        yield "Status", facts.status + (" (end not seen)" if facts.unfinished else "")
    yield "Model", facts.model
    if facts.input_tokens is not None or facts.output_tokens is not None:
        cached = f" ({count(facts.cached_tokens)} cached)" if facts.cached_tokens else ""
        thought = f" ({count(facts.reasoning_tokens)} reasoning)" if facts.reasoning_tokens else ""
        yield "Tokens", f"{count(facts.input_tokens)} in{cached} → {count(facts.output_tokens)} out{thought}"
        yield "Cost", NOT_PRICED if facts.cost is None else money(facts.cost)
    if facts.first_token_s is not None:
        yield "First token", took(facts.first_token_s)
    if facts.polls:
        yield "Polls", count(facts.polls)


def _notes(span: Span, records: Iterable[LogRecord]) -> Iterator[Note]:
    notes = [(event.time_ns, event.name, event.attributes) for event in span.events]
    notes += [
        (r.time_ns, r.event_name or r.severity or "log", {"body": r.body, **r.attributes}) for r in records
    ]
    for time_ns, name, attributes in sorted(notes, key=lambda note: note[0])[:MAX_EVENTS]:
        at = f"+{units.seconds((time_ns - span.start_ns) / 1e9)}" if time_ns >= span.start_ns > 0 else ""
        yield Note(name, at, [(key, value) for key, value in shown(attributes) if value])


def shown(attributes: Any) -> list[tuple[str, str]]:
    """Pairs by key, values as text."""
    return [(key, "" if value is None else show(value)) for key, value in sorted(attributes.items())]


def raw(span: Span) -> str:
    """The span as JSON, in the field names of `spans.Span`."""
    return json.dumps(asdict(span), ensure_ascii=False, indent=2, default=repr)
