"""What each exchange of the Assistants API says: one reader for each kind of answer."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec.structs import replace

from ...core.fields import Wire, ident, items, mapping, stamp
from ...core.model import Message, Observation
from ..api import Exchange
from . import objects as wire
from . import pages

T = TypeVar("T")


def _seen(exchange: Exchange, **what: Any) -> Observation:
    match = exchange.match
    return Observation(
        request_ns=exchange.request_ns,
        response_ns=exchange.response_ns,
        source=exchange.source,
        **{"conversation_id": match.conversation_id, "run_id": match.run_id, **what},
    )


def _known(*found: T | None) -> tuple[T, ...]:
    return tuple(one for one in found if one is not None)


def agent(exchange: Exchange) -> Observation:
    return _seen(exchange, agents=_known(wire.agent(exchange.response)))


def agents(exchange: Exchange) -> Observation:
    return _seen(exchange, agents=_known(*map(wire.agent, items(exchange.response, "data"))))


def thread(exchange: Exchange) -> Observation:
    return _seen(exchange, data_source_ids=wire.vector_stores(exchange.response))


def new_thread(exchange: Exchange) -> Observation:
    """Its messages get their ids on the server; listed later, they are recognised by place and text."""
    id_ = ident(exchange.response) or None
    return _seen(
        exchange,
        conversation_id=id_,
        created_conversation=True,
        messages=sent_messages(exchange, exchange.body, id_),
        data_source_ids=wire.vector_stores(exchange.response),
    )


def sent_messages(exchange: Exchange, thread: Wire, conversation_id: str | None) -> tuple[Message, ...]:
    sent = (wire.message(m, id_=f"{conversation_id}/{i}") for i, m in enumerate(items(thread, "messages")))
    created_at = stamp(exchange.response, "created_at")
    return tuple(replace(m, created_at=created_at, sent_ns=exchange.request_ns) for m in sent)


def message(exchange: Exchange) -> Observation:
    return _seen(exchange, messages=pages.messages_of(exchange.response))


def new_message(exchange: Exchange) -> Observation:
    seen = message(exchange)
    return replace(seen, messages=tuple(replace(m, sent_ns=exchange.request_ns) for m in seen.messages))


def deleted_message(exchange: Exchange) -> Observation:
    return _seen(exchange, deleted_message_id=exchange.match.message_id)


def messages(exchange: Exchange) -> Observation:
    found, listing = pages.messages(exchange.response, exchange.query)
    return _seen(exchange, messages=found, listing=listing)


def _of_run(exchange: Exchange, **what: Any) -> Observation:
    found = wire.run(exchange.response, exchange.match.conversation_id, exchange.match.run_id)
    return _seen(exchange, runs=_known(found), **what)


def run(exchange: Exchange) -> Observation:
    return _of_run(exchange, polls=exchange.polls)


def new_run(exchange: Exchange) -> Observation:
    """`POST /threads/runs` also makes the thread, known by the Run alone."""
    seen, thread = _of_run(exchange), mapping(exchange.body, "thread")
    if exchange.match.conversation_id is not None:
        return seen
    id_ = seen.runs[0].conversation_id if seen.runs else None
    return replace(
        seen,
        conversation_id=id_,
        messages=sent_messages(exchange, thread, id_),
        created_conversation=id_ is not None,
        data_source_ids=wire.vector_stores(thread),
    )


def runs(exchange: Exchange) -> Observation:
    found = (wire.run(one, exchange.match.conversation_id) for one in items(exchange.response, "data"))
    return _seen(exchange, runs=_known(*found))


def tool_outputs(exchange: Exchange) -> Observation:
    return _of_run(exchange, outputs=wire.submitted(exchange.body))


def step(exchange: Exchange) -> Observation:
    return _seen(exchange, steps=_known(wire.step(exchange.response)))


def steps(exchange: Exchange) -> Observation:
    found, is_ordered, is_whole = pages.steps(exchange.response, exchange.query)
    return _seen(exchange, steps=found, is_ordered=is_ordered, all_steps=is_whole)
