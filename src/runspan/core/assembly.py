"""RunState -> the SpanData tree: one run span, one generation span, one span per tool call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter

from msgspec.structs import replace

from . import run_messages, timing, tools, transcript
from .conversation import Conversation
from .cost import Pricer, no_price, terms_of
from .lifecycle import RunState
from .limits import DEFAULT, Limits, newest
from .limits import message as cut_message
from .model import (
    Agent,
    ApiError,
    Cost,
    Message,
    Outcome,
    Part,
    Phase,
    Run,
    RunFacts,
    RunRequest,
    Server,
    SpanData,
    SpanEvent,
    SpanKind,
    ToolFacts,
)
from .redact import Texts, cut
from .timing import SECOND_NS, Timeline
from .tools import ToolInvocation
from .usage import usage_of

NO_ERRORS: Mapping[str, ApiError] = {}


def assemble(
    state: RunState,
    log: Conversation,
    agent: Agent | None,
    texts: Texts,
    limits: Limits = DEFAULT,
    unfinished: str | None = None,
    price: Pricer = no_price,
    event_texts: Texts | None = None,
) -> SpanData:
    """The spans of one Run. Everything lies inside its one span. `event_texts`: its content is to go on a log record, too."""
    line = timing.timeline(state)
    error = _error(state, texts)

    def facts_with(texts: Texts) -> tuple[RunFacts, tuple[ToolInvocation, ...]]:
        uses = tools.used(state, line, texts)
        return _facts(state, log, agent, texts, limits, line, uses, unfinished), uses

    facts, uses = facts_with(texts)
    facts = replace(facts, cost=_cost(facts, price, line.start_ns))
    descriptions = _descriptions(state.run, facts.run) if uses else {}
    of_tools = tools.spans(state, uses, line, texts, descriptions, facts.data_source_id)
    event_facts = None if event_texts is None else replace(facts_with(event_texts)[0], cost=facts.cost)
    whole = replace(of_run(facts, line.start_ns, line.end.at_ns, error), events=_events(state, line))
    if whole.kind is SpanKind.MODEL_CALL:
        return replace(whole, children=of_tools, event_facts=event_facts)
    times = line.active_from_ns, line.end.at_ns
    generation = SpanData(SpanKind.GENERATION, "chat", *times, facts, error, event_facts=event_facts)
    return replace(whole, children=(generation, *of_tools))


def of_run(facts: RunFacts, start_ns: int, end_ns: int, error: ApiError | None = None) -> SpanData:
    """The one span of a run that carries its facts, in the shape that its request has."""
    is_call = facts.request.is_model_call
    kind, operation = (SpanKind.MODEL_CALL, "chat") if is_call else (SpanKind.RUN, "invoke_agent")
    return SpanData(kind, operation, start_ns, end_ns, facts, error)


def without_calls(
    data: SpanData, is_taken: Callable[[str], bool], errors: Mapping[str, ApiError] = NO_ERRORS
) -> SpanData:
    """Without the tool calls whose span the app's own function is. Each call is asked about once.

    `errors` by call id: what those functions raised. The API never hears of it, so only they can tell.
    """
    if not data.children:
        return data
    kept: list[SpanData] = []
    taken: list[SpanData] = []
    asked: set[str] = set()  # a later call of the same id is another call
    for child in data.children:
        call_id = child.facts.call.id if isinstance(child.facts, ToolFacts) else None
        if call_id is not None and call_id not in asked and is_taken(call_id):
            asked.add(call_id)
            taken.append(replace(child, error=errors.get(call_id, child.error)))
        else:
            asked.add(call_id or "")
            kept.append(child)
    return replace(data, children=tuple(kept), elsewhere=tuple(taken))


def failed_request(
    server: Server,
    request: RunRequest,
    conversation_id: str,
    start_ns: int,
    end_ns: int,
    error: ApiError,
    texts: Texts,
    api: str | None = None,
) -> SpanData:
    """A request that started no run: a run span with its error and nothing below."""
    facts = RunFacts(
        server=server,
        request=request.without_texts(),
        run=Run("", request.conversation_id or conversation_id, agent_id=request.agent_id),
        agent=_named_in(request, texts),
        captured=texts.captures,
        finish_reason="error",
        api=api,
    )
    error = replace(error, message=texts.keep("error", error.message))
    return of_run(facts, start_ns, end_ns, error)


# ---------------------------------------------------------------- facts


def _facts(
    state: RunState,
    log: Conversation,
    agent: Agent | None,
    texts: Texts,
    limits: Limits,
    line: Timeline,
    uses: tuple[ToolInvocation, ...],
    unfinished: str | None,
) -> RunFacts:
    run = state.run
    inputs = run_messages.inputs(log, state) if texts.captures else ()
    written = run_messages.written(state, log)  # how they ended is no text
    told = (_message("output", m, texts) for m in written)
    outputs = transcript.outputs(state, told, uses) if texts.captures else ()
    kept = newest(inputs, limits, texts)
    instructions = _instructions(state, texts)
    is_cut = any(len(text) > texts.max_chars for text in instructions)
    token_ns = timing.first_token(state, line)
    lag_ns = None if state.noticed_ns is None else max(0, state.noticed_ns - line.end.at_ns)
    return RunFacts(
        server=state.server,
        request=state.request.without_texts(),
        run=replace(_run(run, state.conversation_id, texts), usage=usage_of(state)),
        agent=_agent(agent, state, texts),
        unfinished=unfinished,
        origin=state.origin,
        finish_reason=_finish_reason(run, written),
        queue_s=line.queue_ns / SECOND_NS,
        active_s=line.active_ns / SECOND_NS,
        tool_wait_s=line.tool_wait_ns / SECOND_NS,
        detection_lag_s=None if lag_ns is None else lag_ns / SECOND_NS,
        end_uncertainty_s=None if unfinished else line.end.width_ns / SECOND_NS,
        first_chunk_s=None if token_ns is None else (token_ns - state.request_ns) / SECOND_NS,
        first_chunk_ns=token_ns,
        polls=state.polls,
        instructions=tuple(cut(text, texts.max_chars) for text in instructions),
        instructions_length=sum(map(len, instructions)) if is_cut else None,
        inputs=tuple(cut_message(_message("input", m, texts), limits) for m in kept),
        omitted_inputs=len(inputs) - len(kept),
        has_all_inputs=log.whole_since_start,
        outputs=tuple(cut_message(m, limits) for m in outputs),
        data_source_id=_data_source_id(state, log, agent),
        captured=texts.captures,
        api=state.api,
    )


def _cost(facts: RunFacts, price: Pricer, at_ns: int) -> Cost | None:
    """Of the model that answered, as far as the API says it."""
    if facts.run is None or facts.run.usage is None:
        return None
    model = facts.run.model or facts.request.model
    terms = terms_of({**facts.request.settings, **facts.run.settings})
    return price(facts.server.provider, model, facts.run.usage, at_ns, terms) if model else None


def _run(run: Run, conversation_id: str, texts: Texts) -> Run:
    """The Run without the texts that may not go out, in the conversation that others know."""
    metadata = {
        key: kept
        for k, v in run.metadata.items()
        if (kept := texts.keep("metadata", v)) is not None and (key := texts.keep("metadata", k)) is not None
    }
    defined = tuple(texts.value("tool.definitions", t) for t in run.tools) if texts.captures else ()
    no_texts = {"instructions": None, "required": (), "error": None}
    return replace(run, conversation_id=conversation_id, metadata=metadata, tools=defined, **no_texts)


def _descriptions(run: Run, kept: Run | None) -> dict[str, str]:
    """Of functions, as they may go out, by their names as the API has them."""
    pairs = zip(run.tools, kept.tools if kept else (), strict=False)
    functions = [(t.get("function"), k.get("function")) for t, k in pairs]
    return {
        str(function.get("name")): told["description"]
        for function, told in functions
        if isinstance(function, Mapping)
        and isinstance(told, Mapping)
        and isinstance(told.get("description"), str)
    }


def _data_source_id(state: RunState, log: Conversation, agent: Agent | None) -> str | None:
    """The vector store that the Run could search, where there is exactly one."""
    of_agent = agent.data_source_ids if agent else ()
    ids = {*of_agent, *state.request.data_source_ids, *log.data_source_ids}
    return ids.pop() if len(ids) == 1 else None


def _agent(agent: Agent | None, state: RunState, texts: Texts) -> Agent | None:
    if agent is None:
        return Agent(state.run.agent_id) if state.run.agent_id else _named_in(state.request, texts)
    return told(agent, texts)


def _named_in(request: RunRequest, texts: Texts) -> Agent | None:
    return told(Agent(request.agent_id, request.agent_name), texts) if request.agent_id else None


def told(agent: Agent, texts: Texts) -> Agent:
    """As it may go out. Its name is what a run is called: it stays with content off."""
    description = texts.keep("description", agent.description)
    return replace(agent, name=texts.word("name", agent.name), description=description)


def _instructions(state: RunState, texts: Texts) -> tuple[str, ...]:
    """`Run.instructions` is the effective text; where the server does not fold the additional ones in, they follow. Not cut yet."""
    whole = state.run.instructions
    more = state.request.additional_instructions
    parts = [whole, None if whole and more and more in whole else more]
    return tuple(
        kept for part in parts if part and (kept := texts.redacted("instructions", part)) is not None
    )


def _message(kind: str, message: Message, texts: Texts) -> Message:
    return replace(message, parts=tuple(_part(kind, part, texts) for part in message.parts))


def _part(kind: str, part: Part, texts: Texts) -> Part:
    return texts.part(kind, part) if part.call is None else replace(part, call=tools.kept(part.call, texts))


def _finish_reason(run: Run, outputs: tuple[Message, ...]) -> str:
    reasons = {run.finish_reason, *(m.finish_reason for m in outputs)}
    is_refused = any(part.type == "refusal" for message in outputs for part in message.parts)
    if "content_filter" in reasons or is_refused:
        return "content_filter"
    if run.outcome is Outcome.INCOMPLETE:
        return "length" if "length" in reasons else run.finish_reason or "error"
    if run.phase is Phase.WAITING or (run.required and run.outcome is Outcome.COMPLETED):
        return "tool_call"  # of an unfinished run the last thing seen
    # FAILED, CANCELLED, EXPIRED: "error". The conventions: expected but not received
    return "stop" if run.outcome is Outcome.COMPLETED else "error"


def _error(state: RunState, texts: Texts) -> ApiError | None:
    run = state.run
    if not state.is_over:
        error = state.stream_error
    elif run.outcome is Outcome.FAILED:
        error = run.error or ApiError("failed")
    elif run.outcome is Outcome.EXPIRED:
        error = ApiError("expired", run.error.message if run.error else None)
    else:
        return None
    return error and replace(error, message=texts.keep("error", error.message))


def _events(state: RunState, line: Timeline) -> tuple[SpanEvent, ...]:
    events = [
        SpanEvent(
            state.vocabulary.event_prefix + entry.status,
            entry.moment.at_ns,
            {
                "runspan.run.status": entry.status,
                "runspan.source": "server" if entry.moment.by_server else "observed",
            },
        )
        for entry in line.entries
    ]
    token_ns = timing.first_token(state, line)
    if token_ns is not None:  # before the end, if both came in one piece
        events.insert(len(events) - state.is_over, SpanEvent("first_token", token_ns))
    low, high = line.start_ns, line.end.at_ns
    events.extend(replace(note, at_ns=min(max(note.at_ns, low), high)) for note in state.notes)
    return tuple(sorted(events, key=attrgetter("at_ns")))
