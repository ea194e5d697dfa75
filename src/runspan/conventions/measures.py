"""SpanData of a Run -> what is measured of it: (instrument, value, attributes). Pure; `runtime/metrics.py` records it.

Names, units and buckets are those of the OpenTelemetry GenAI conventions where they have an instrument, else our own `runspan.*`.
Never an id among the attributes; `gen_ai.agent.name` is not in the conventions' list, but is what dashboards group by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..core.model import OF_RUNS, RunFacts, SpanData, ToolFacts
from . import genai

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A histogram where it has buckets, else a counter."""

    name: str
    unit: str
    description: str
    buckets: tuple[float, ...] | None = None


DURATION = Instrument("gen_ai.client.operation.duration", "s", "GenAI operation duration.", SECONDS)
TOKEN_USAGE = Instrument(
    "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", TOKENS
)
TOOL_DURATION = Instrument(
    "gen_ai.execute_tool.duration", "s", "The duration of a single tool execution.", SECONDS
)
QUEUE_TIME = Instrument("runspan.run.queue_time", "s", "How long a run was queued.", SECONDS)
TOOL_WAIT = Instrument(
    "runspan.run.tool_wait", "s", "How long a run waited for the app's tool outputs.", SECONDS
)
DETECTION_LAG = Instrument(
    "runspan.run.detection_lag", "s", "How long after a run's end the app noticed it.", SECONDS
)
RUNS = Instrument("runspan.runs", "{run}", "Runs by final status.")
MISSING = Instrument(
    "runspan.run.missing", "{run}", "Runs whose trace lacks something that was neither read nor fetched."
)
COST = Instrument("runspan.run.cost", "{currency}", "What the tokens of runs cost, by the price list in use.")
# Counted elsewhere, observed at each collection.
DROPPED = Instrument("runspan.dropped", "{item}", "What runspan could not keep, read or deliver, by cause.")

STATUS = "runspan.run.status"
CAUSE = "runspan.cause"
LACKS = "runspan.missing"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - no secret

UNRECORDED = "unrecorded"
NOT_STARTED = "not_started"

Value = str | int
Measure = tuple[Instrument, float, Mapping[str, Value]]


def of_run(span: SpanData) -> Iterator[Measure]:
    """Each instrument once; the tools once per call."""
    facts = span.facts
    if span.kind not in OF_RUNS or not isinstance(facts, RunFacts):
        return
    of = _attributes(facts)
    ended = {**of, **_error(span)}
    answered = {**of, "gen_ai.response.model": facts.run.model} if facts.run and facts.run.model else of
    yield RUNS, 1, {**ended, STATUS: status(facts)}
    whole = {**answered, **_error(span), genai.OPERATION: span.operation}
    if facts.unfinished is not None:  # its end was not seen, so it took at least this long
        whole["runspan.run.unfinished"] = facts.unfinished
    yield DURATION, _seconds(span), whole
    if facts.queue_s is not None:
        yield QUEUE_TIME, facts.queue_s, of
    if facts.tool_wait_s:
        yield TOOL_WAIT, facts.tool_wait_s, of
    if facts.detection_lag_s is not None:
        yield DETECTION_LAG, facts.detection_lag_s, of
    for what in facts.missing:
        yield MISSING, 1, {**of, LACKS: what}
    usage = facts.run.usage if facts.run is not None else None
    if usage is not None:
        tokens = {**answered, genai.OPERATION: span.operation}
        yield TOKEN_USAGE, usage.prompt_tokens, {**tokens, TOKEN_TYPE: "input"}
        yield TOKEN_USAGE, usage.completion_tokens, {**tokens, TOKEN_TYPE: "output"}
    if facts.cost is not None:
        yield COST, facts.cost.total, {**answered, "runspan.cost.currency": facts.cost.currency}
    for child in (*span.children, *span.elsewhere):
        if isinstance(child.facts, ToolFacts):
            of_agent = {genai.AGENT_NAME: facts.agent.name} if facts.agent and facts.agent.name else {}
            yield TOOL_DURATION, _seconds(child), {**_tool(child.facts), **of_agent, **_error(child)}


def of_tool(span: SpanData) -> Iterator[Measure]:
    """A call of a tool that ran once its run was over."""
    if isinstance(span.facts, ToolFacts):
        yield TOOL_DURATION, _seconds(span), {**_tool(span.facts), **_error(span)}


def of_unrecorded(span: SpanData) -> Iterator[Measure]:
    """A run that was sampled out: nobody followed it, so there is its start and nothing more."""
    if isinstance(span.facts, RunFacts):
        yield RUNS, 1, {**_attributes(span.facts), STATUS: UNRECORDED}


def status(facts: RunFacts) -> str:
    """The last word on a run: why its end was not seen, that it never began, or the API's own."""
    if facts.unfinished is not None:
        return facts.unfinished
    return (facts.run.status if facts.run is not None else None) or NOT_STARTED


def _attributes(facts: RunFacts) -> dict[str, Value]:
    found = {
        genai.PROVIDER: facts.server.provider,
        genai.REQUEST_MODEL: genai.request_model(facts) or None,
        genai.AGENT_NAME: (facts.agent.name or None) if facts.agent else None,
        **genai.server(facts.server),
    }
    return {key: value for key, value in found.items() if isinstance(value, str | int)}


def _tool(tool: ToolFacts) -> Mapping[str, Value]:
    name = {"gen_ai.tool.name": tool.call.name} if tool.call.name else {}
    return {**name, "gen_ai.tool.type": genai.tool_type(tool.call)}


def _error(span: SpanData) -> Mapping[str, Value]:
    return {} if span.error is None else {genai.ERROR_TYPE: span.error.code}


def _seconds(span: SpanData) -> float:
    return max(0, span.end_ns - span.start_ns) / 1e9
