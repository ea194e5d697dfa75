"""Everything one span has to say, in the order a reader wants it: what was said, what went in and out, the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from runspan.viewer import conversation, units
from runspan.viewer.conversation import Said
from runspan.viewer.kinds import is_error, word
from runspan.viewer.messages import parse, show
from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store.facts import SORTS, Facts, error
from runspan.viewer.store.rows import read
from runspan.viewer.web.render import count, money, pretty, took
from runspan.viewer.web.waterfall import phases

DETAILS_EVENT = "gen_ai.client.inference.operation.details"  # a log record that holds what a span may not
CONTENT = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
ARGUMENTS = ("gen_ai.tool.call.arguments", "input.value")
RESULT = ("gen_ai.tool.call.result", "output.value")
MAX_DOCUMENTS = 100
MAX_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Block:
    """A text under a title. `form`: json, code, logs, text."""

    title: str
    text: str
    form: str = "text"


@dataclass(frozen=True, slots=True)
class Document:
    """Something retrieved."""

    name: str
    score: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """An event of the span or a log record in it."""

    name: str
    at: str
    attributes: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool call as a step of a conversation."""

    span_id: str
    name: str
    arguments: str
    result: str
    took_s: float
    is_error: bool


@dataclass(slots=True)
class Panel:
    """One span, ready to be shown."""

    span: Span
    kind: str
    facts: Facts | None
    start: str
    took_s: float | None
    error: str
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


def panel(span: Span, below: Sequence[Span], logs: Iterable[LogRecord], trace_start_ns: int) -> Panel:
    """`below`: the run's own spans when it is one; `logs`: the records of the trace."""
    records = [record for record in logs if record.span_id == span.span_id]
    kind = word(span)[0]
    is_timed = 0 < span.start_ns <= span.end_ns
    made = Panel(
        span,
        kind,
        read(span, kind)[0],
        f"+{units.seconds((span.start_ns - trace_start_ns) / 1e9)}"
        if span.start_ns >= trace_start_ns > 0
        else "",
        (span.end_ns - span.start_ns) / 1e9 if is_timed else None,
        error(span),
    )
    sort = SORTS.get(kind)
    if made.facts is not None:
        made.rows = list(_rows(made.facts))
    if sort == "run":
        if any(key.startswith("runspan.run.") for key in span.attributes):
            made.phases = summed(span, made.facts)
        _exchange(made, span, below, logs)
    elif sort == "llm":
        _conversation(made, _with_content(span, records))
    if not (made.asked or made.answered):
        made.blocks = list(_blocks(span, kind))
    made.documents = list(documents(span))
    made.notes = list(_notes(span, records))
    made.links = [(link.trace_id, link.span_id) for link in span.links]
    made.attributes = shown(span.attributes)
    made.resource = shown({**span.resource, "otel.scope": f"{span.scope} {span.scope_version}".strip()})
    made.raw = raw(span)
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
    return [*found, ("lag", facts.lag_s)] if facts and facts.lag_s is not None else found


def tools(spans: Iterable[Span]) -> list[Tool]:
    """The tool calls among these, by start."""
    return [
        Tool(
            span.span_id,
            show(span.attributes.get("gen_ai.tool.name") or span.name),
            _first(span, ARGUMENTS),
            _short(span),
            max(0, span.end_ns - span.start_ns) / 1e9,
            is_error(span),
        )
        for span in spans
        if word(span)[0] in ("tool", "find", "guard", "rank")
    ]


def model_calls(spans: Iterable[Span], logs: Iterable[LogRecord]) -> list[Span]:
    """The model calls among these, by start, with the content that went on log records."""
    records = [record for record in logs if record.event_name == DETAILS_EVENT]
    calls = sorted((s for s in spans if SORTS.get(word(s)[0]) == "llm"), key=lambda span: span.start_ns)
    return [_with_content(call, [r for r in records if r.span_id == call.span_id]) for call in calls]


def exchange(
    run: Span, below: Sequence[Span], logs: Iterable[LogRecord]
) -> tuple[tuple[Said, ...], tuple[Said, ...]]:
    """(asked, answered) of a run: its first model call's new messages and its last one's answer, else its own texts."""
    calls = model_calls(below, logs) or ([run] if SORTS.get(word(run)[0]) == "llm" else [])
    attributes = [call.attributes for call in calls] or [run.attributes]
    asked = conversation.new(conversation.given(attributes[0]))
    answered = conversation.answered(attributes[-1])
    return asked or _plain(run, "input.value", "user"), answered or _plain(run, "output.value", "assistant")


def _plain(span: Span, key: str, role: str) -> tuple[Said, ...]:
    value = span.attributes.get(key)
    return () if value in (None, "") else (Said(role, (conversation.Part("text", show(value)),)),)


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


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.sort == "run":
        yield "Status", facts.status + (f" (end not seen: {facts.unfinished})" if facts.unfinished else "")
    yield "Model", facts.model
    if facts.input_tokens is not None or facts.output_tokens is not None:
        cached = f" ({count(facts.cached_tokens)} cached)" if facts.cached_tokens else ""
        thought = f" ({count(facts.reasoning_tokens)} reasoning)" if facts.reasoning_tokens else ""
        yield "Tokens", f"{count(facts.input_tokens)} in{cached} → {count(facts.output_tokens)} out{thought}"
    if facts.cost is not None:
        yield "Cost", money(facts.cost)
    if facts.first_token_s is not None:
        yield "First token", took(facts.first_token_s)
    if facts.polls:
        yield "Polls", count(facts.polls)


def _blocks(span: Span, kind: str) -> Iterator[Block]:
    given, got = _first(span, ARGUMENTS), _first(span, RESULT)
    is_code = span.attributes.get("gen_ai.tool.name") == "code_interpreter"
    if given:
        title = "Code" if is_code else "Arguments" if kind == "tool" else "Input"
        yield Block(title, given if is_code else pretty(given), "code" if is_code else _form(given))
    if is_code and isinstance(outputs := parse(got), list):
        yield from map(_output, outputs)
    elif got:
        yield Block("Result" if kind == "tool" else "Output", pretty(got), _form(got))


def _short(span: Span) -> str:
    """A tool's result as a step of a conversation: what code printed, what a search found, else the text."""
    result = _first(span, RESULT)
    if isinstance(outputs := parse(result), list):
        printed = [
            show(of.get("logs", "")) for of in outputs if isinstance(of, dict) and of.get("type") == "logs"
        ]
        names = [document.name for document in documents(span) if document.name]
        return "\n".join(printed) or ", ".join(names) or result
    return result


def _output(of: Any) -> Block:
    if isinstance(of, dict) and of.get("type") == "logs":
        return Block("Logs", show(of.get("logs", "")), "logs")
    name = show(of.get("type", "output")).capitalize() if isinstance(of, dict) else "Output"
    return Block(name, pretty(show(of)), "json")


def _form(value: str) -> str:
    return "json" if isinstance(parse(value), dict | list) else "text"


def documents(span: Span) -> Iterator[Document]:
    """What a search found, by the GenAI conventions, else by OpenInference's."""
    data = parse(span.attributes.get("gen_ai.retrieval.documents"))
    if not isinstance(data, list) and span.attributes.get("gen_ai.tool.name") == "file_search":
        data = parse(_first(span, RESULT))
    if isinstance(data, list):
        yield from map(_document, data[:MAX_DOCUMENTS])
        return
    for at in range(MAX_DOCUMENTS):
        prefix = f"retrieval.documents.{at}.document."
        found = {
            key[len(prefix) :]: value for key, value in span.attributes.items() if key.startswith(prefix)
        }
        if not found:
            return
        yield _document(found)


def _document(of: Any) -> Document:
    if not isinstance(of, dict):
        return Document("", "", show(of))
    name = of.get("file_name") or of.get("name") or of.get("title") or of.get("id") or of.get("file_id") or ""
    content = of.get("content", of.get("text", ""))
    if isinstance(content, list):
        content = "\n".join(
            show(part.get("text", part) if isinstance(part, dict) else part) for part in content
        )
    score = of.get("score")
    return Document(show(name), f"{score:.3g}" if isinstance(score, int | float) else "", show(content))


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


def _first(span: Span, keys: Iterable[str]) -> str:
    return next((show(span.attributes[key]) for key in keys if span.attributes.get(key) is not None), "")
