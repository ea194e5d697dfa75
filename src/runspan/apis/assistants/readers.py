"""What each exchange of the Assistants API says: one reader for each kind of answer."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ...core.fields import Wire
from ...core.model import Message, Observation
from ..api import Exchange
from . import objects as wire
from . import pages


def _seen(exchange: Exchange, **what: Any) -> Observation:
    match = exchange.match
    return Observation(
        request_ns=exchange.request_ns,
        response_ns=exchange.response_ns,
        source=exchange.source,
        **{"conversation_id": match.conversation_id, "run_id": match.run_id, **what},
    )


def agent(exchange: Exchange) -> Observation:
    found = wire.agent(exchange.response)
    return _seen(exchange, agents=(found,) if found else ())


def agents(exchange: Exchange) -> Observation:
    found = (wire.agent(item) for item in wire.items(exchange.response, "data"))
    return _seen(exchange, agents=tuple(a for a in found if a))


def thread(exchange: Exchange) -> Observation:
    return _seen(exchange, data_source_ids=wire.vector_stores(exchange.response))


def new_thread(exchange: Exchange) -> Observation:
    """Its messages get their ids on the server; listed later, they are recognised by place and text."""
    id_ = wire.ident(exchange.response) or None
    return _seen(
        exchange,
        conversation_id=id_,
        created_conversation=True,
        messages=sent_messages(exchange, exchange.body, id_),
        data_source_ids=wire.vector_stores(exchange.response),
    )


def sent_messages(exchange: Exchange, thread: Wire, conversation_id: str | None) -> tuple[Message, ...]:
    sent = (
        wire.message(m, id_=f"{conversation_id}/{i}") for i, m in enumerate(wire.items(thread, "messages"))
    )
    created_at = wire.stamp(exchange.response, "created_at")
    return tuple(replace(m, created_at=created_at, sent_ns=exchange.request_ns) for m in sent)


def message(exchange: Exchange) -> Observation:
    return _seen(exchange, messages=pages.messages_of(exchange.response))


def new_message(exchange: Exchange) -> Observation:
    messages = tuple(replace(m, sent_ns=exchange.request_ns) for m in pages.messages_of(exchange.response))
    return _seen(exchange, messages=messages)


def deleted_message(exchange: Exchange) -> Observation:
    return _seen(exchange, deleted_message_id=exchange.match.message_id)


def messages(exchange: Exchange) -> Observation:
    found, listing = pages.messages(exchange.response, exchange.query)
    return _seen(exchange, messages=found, listing=listing)


def run(exchange: Exchange) -> Observation:
    found = wire.run(exchange.response, exchange.match.conversation_id, exchange.match.run_id)
    return _seen(exchange, runs=(found,) if found else (), polls=exchange.polls)


def new_run(exchange: Exchange) -> Observation:
    """`POST /threads/runs` also makes the thread, known by the Run alone."""
    found = wire.run(exchange.response, exchange.match.conversation_id)
    if exchange.match.conversation_id is not None:
        return _seen(exchange, runs=(found,) if found else ())
    conversation_id = found.conversation_id if found else None
    messages = sent_messages(exchange, wire.mapping(exchange.body, "thread"), conversation_id)
    return _seen(
        exchange,
        conversation_id=conversation_id,
        runs=(found,) if found else (),
        messages=messages,
        created_conversation=conversation_id is not None,
        data_source_ids=wire.vector_stores(wire.mapping(exchange.body, "thread")),
    )


def runs(exchange: Exchange) -> Observation:
    found = (wire.run(item, exchange.match.conversation_id) for item in wire.items(exchange.response, "data"))
    return _seen(exchange, runs=tuple(r for r in found if r))


def tool_outputs(exchange: Exchange) -> Observation:
    found = wire.run(exchange.response, exchange.match.conversation_id, exchange.match.run_id)
    return _seen(exchange, runs=(found,) if found else (), outputs=wire.submitted(exchange.body))


def step(exchange: Exchange) -> Observation:
    found = wire.step(exchange.response)
    return _seen(exchange, steps=(found,) if found else ())


def steps(exchange: Exchange) -> Observation:
    found, is_ordered, is_whole = pages.steps(exchange.response, exchange.query)
    return _seen(exchange, steps=found, is_ordered=is_ordered, all_steps=is_whole)
