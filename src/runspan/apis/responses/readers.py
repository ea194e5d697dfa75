"""What each exchange of the Responses API says."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ...core.fields import Wire, ident, mapping
from ...core.model import Listing, Message, Observation, Phase, Run, Source
from ..api import Exchange
from . import items as items_of
from . import objects as wire
from . import parts

BEFORE = 0  # when an input was sent that this process did not send: before the run


def _seen(exchange: Exchange, run_id: str | None, **what: Any) -> Observation:
    """Each response has a log of its own, named like itself."""
    return Observation(
        request_ns=exchange.request_ns,
        response_ns=exchange.response_ns,
        source=exchange.source,
        conversation_id=run_id,
        run_id=run_id,
        **what,
    )


def said(run: Run, response: Wire) -> dict[str, Any]:
    """The run, and once it is over all that it put out."""
    messages, steps = wire.output(response, run)
    is_over = run.phase is Phase.OVER
    agent = wire.agent_of(response) if run.agent_id else None
    return {
        "runs": (run,),
        "messages": messages,
        "steps": steps,
        "listing": Listing(True, True, run.id, is_ordered=True) if is_over else None,
        "all_steps": is_over,
        "is_ordered": True,
        "agents": (agent,) if agent else (),
    }


def run(exchange: Exchange) -> Observation:
    run_id = exchange.match.run_id
    found = wire.run(exchange.response, None, run_id)
    if found is None:
        return _seen(exchange, run_id)
    return _seen(exchange, found.id, polls=exchange.polls, **said(found, exchange.response))


def new_run(exchange: Exchange) -> Observation:
    found = wire.run(exchange.response)
    if found is None:
        return _seen(exchange, None)
    seen = _seen(exchange, found.id, **said(found, exchange.response))
    sent = sent_with(exchange, seen)
    return replace(sent, messages=(*sent.messages, *seen.messages), listing=None)


def sent_with(exchange: Exchange, seen: Observation) -> Observation:
    """`seen` with what the request put in. Of an earlier response, or a conversation, there are items that it does not name."""
    body, run_id = exchange.body, seen.run_id or ""
    filled_in = parts.variables(mapping(mapping(body, "prompt"), "variables"))
    first = Message(f"{run_id}#prompt", "user", filled_in, sent_ns=exchange.request_ns)
    given = items_of.inputs(body.get("input"), run_id, exchange.request_ns)
    is_whole = not body.get("previous_response_id") and wire.conversation(body) is None
    return replace(seen, messages=(first, *given) if filled_in else given, created_conversation=is_whole)


def input_items(exchange: Exchange) -> Observation:
    """All that the model was given. Read where nobody here knows it; the app's own looks at its pages tell nothing new."""
    run_id = exchange.match.run_id or ""
    if exchange.source is not Source.FETCH:
        return _seen(exchange, run_id)
    messages: tuple[Message, ...] = items_of.inputs(exchange.response.get("data"), run_id, BEFORE)
    is_whole = exchange.response.get("has_more") is not True
    return _seen(exchange, run_id, messages=messages, created_conversation=is_whole)


def deleted(exchange: Exchange) -> Observation:
    return _seen(exchange, exchange.match.run_id, gone="deleted")


def nothing(exchange: Exchange) -> Observation:
    return _seen(exchange, exchange.match.run_id)


def conversation(exchange: Exchange) -> Observation:
    """For the call's own span."""
    id_ = exchange.match.conversation_id or ident(exchange.response) or None
    return replace(_seen(exchange, None), conversation_id=id_)
