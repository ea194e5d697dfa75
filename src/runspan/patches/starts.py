"""A span as it begins: what samplers may want to know of it. All the rest is known, and set, at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ..adapters.wire import run_request
from ..core.model import Assistant, CallFacts, RunFacts, SpanData, SpanKind, Stored
from ..runtime.records import Call


def run_data(call: Call, sent: Any, assistant_of: Callable[[tuple[str, str]], Assistant | None]) -> SpanData:
    """Of a run; `sent` is the body of its request."""
    request = run_request(sent if isinstance(sent, dict) else {}, call.streams)
    assistant = assistant_of((call.server.base_url, request.assistant_id)) if request.assistant_id else None
    if assistant is not None:
        assistant = replace(assistant, description=None)  # a text: it goes out at the end, redacted
    elif request.assistant_id:
        assistant = Assistant(request.assistant_id)
    facts = RunFacts(call.server, request, assistant=assistant, captured=False)
    return SpanData(SpanKind.RUN, "invoke_agent", call.request_ns, call.request_ns, facts)


def call_data(call: Call) -> SpanData:
    """Of any other call."""
    stored = Stored(store_id=call.match.store_id) if call.match.store_id else None
    facts = CallFacts(call.server, call.match.thread_id, call.match.run_id, stored=stored)
    return SpanData(SpanKind.CALL, call.match.route.operation, call.request_ns, call.request_ns, facts)
