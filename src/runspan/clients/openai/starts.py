"""A span as it begins: what samplers may want to know of it. All the rest is known, and set, at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ...core.model import Agent, CallFacts, RunFacts, SpanData, SpanKind, Stored
from ...runtime.records import Call


def run_data(call: Call, sent: Any, agent_of: Callable[[tuple[str, str]], Agent | None]) -> SpanData:
    """Of a run; `sent` is the body of its request."""
    request = call.api.read_request(sent if isinstance(sent, dict) else {}, call.streams)
    agent = agent_of((call.server.base_url, request.agent_id)) if request.agent_id else None
    if agent is not None:
        agent = replace(agent, description=None)  # a text: it goes out at the end, redacted
    elif request.agent_id:
        agent = Agent(request.agent_id)
    facts = RunFacts(call.server, request, agent=agent, captured=False)
    return SpanData(SpanKind.RUN, "invoke_agent", call.request_ns, call.request_ns, facts)


def call_data(call: Call) -> SpanData:
    """Of any other call."""
    stored = Stored(store_id=call.match.store_id) if call.match.store_id else None
    facts = CallFacts(call.server, call.match.conversation_id, call.match.run_id, stored=stored)
    return SpanData(SpanKind.CALL, call.match.route.operation, call.request_ns, call.request_ns, facts)
