"""Spans of single calls: writes, and POSTs that should have started a Run but gave none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from ..core import assembly
from ..core.model import (
    Agent,
    ApiError,
    CallFacts,
    Observation,
    Run,
    RunFacts,
    RunRequest,
    Search,
    SpanData,
    SpanKind,
    Stored,
)
from ..core.redact import Texts
from .lru import Lru
from .outbox import Outbox
from .records import Call

Agents = Lru[tuple[str, str], Agent]  # by (server, assistant id)


@dataclass
class Counts:
    """Every recorded run that began is one of these in the end: started = emitted + unfinished + handed_off
    + live + dropped."""

    started: int = 0
    emitted: int = 0
    unfinished: int = 0
    handed_off: int = 0  # another process emits it
    unrecorded: int = 0  # begun under an unsampled parent: neither followed nor emitted
    missing: Counter[str] = field(default_factory=Counter)  # runs that went out without it


class CallSpans:
    """Used on the worker's thread alone. `calls` is the option of that name.

    `conversation_of(server, run id)`: of a run that has a log of its own, as far as it is known.
    """

    def __init__(
        self,
        calls: str,
        texts: Texts,
        agents: Agents,
        outbox: Outbox,
        counts: Counts,
        dropped: Counter[str],
        conversation_of: Callable[[str, str], str | None] = lambda _server, _run_id: None,
    ) -> None:
        self._calls = calls
        self._texts = texts
        self._agents = agents
        self._outbox = outbox
        self._counts = counts
        self._dropped = dropped
        self._conversation_of = conversation_of

    def write(self, call: Call, seen: Observation | None) -> None:
        """End (or make) the span of a write, or of any call where `calls` says so."""
        route = call.match.route
        is_silent = call.live is None and (call.error is None or not route.is_write)
        is_wanted = self._calls == "all" and not route.is_poll  # no span per poll, ever
        if is_wanted or not (is_silent or self._calls == "none"):
            data = self._data(call, seen)
            self._outbox.send(call.take_span() or call.context, data)

    def failed_start(self, call: Call, request: RunRequest, error: ApiError) -> None:
        """A POST that gave no Run."""
        if call.live is None:
            return
        conversation_id = call.match.conversation_id or ""
        data = assembly.failed_request(
            *(call.server, request, conversation_id, call.request_ns, call.response_ns, error),
            *(self._texts, call.api.name),
        )
        self._counts.emitted += self._send(call, data)

    def lost_start(self, call: Call, request: RunRequest, at_ns: int, unfinished: str) -> None:
        """The server took the Run, but nobody here ever learned its id."""
        if call.live is None:
            return
        run = Run("", call.match.conversation_id or "", agent_id=request.agent_id)
        facts = RunFacts(
            *(call.server, request, run),
            unfinished=unfinished,
            captured=False,
            finish_reason="error",  # expected, but not received
            api=call.api.name,
        )
        data = assembly.of_run(facts, call.request_ns, at_ns)
        if data.kind is SpanKind.RUN:
            generation = SpanData(SpanKind.GENERATION, "chat", call.request_ns, at_ns, facts)
            data = replace(data, children=(generation,))
        self._counts.unfinished += self._send(call, data)

    def left_to_others(self, call: Call) -> None:
        """The Run, if there is one, is emitted by another process, which makes its span: this one must not be exported."""
        if call.take_span() is not None:
            self._counts.started += 1
            self._counts.handed_off += 1

    def _send(self, call: Call, data: SpanData) -> bool:
        data = self.named(data)
        live = call.take_span()
        self._counts.started += 1
        return self._outbox.send(live, data)

    def unrecorded(self, call: Call, request: RunRequest) -> SpanData:
        """What is known of a Run that was sampled out."""
        facts = RunFacts(call.server, request, api=call.api.name)
        return self.named(assembly.of_run(facts, call.request_ns, call.response_ns))

    def named(self, data: SpanData) -> SpanData:
        """The run span with what is known of its assistant."""
        facts = data.facts
        if not isinstance(facts, RunFacts) or facts.request.agent_id is None:
            return data
        known = self._agents.get((facts.server.base_url, facts.request.agent_id))
        if known is None:
            return data
        return replace(data, facts=replace(facts, agent=assembly.told(known, self._texts)))

    def _data(self, call: Call, seen: Observation | None) -> SpanData:
        match = call.match
        agent = seen.agents[0] if seen and seen.agents else None
        if agent is None and match.agent_id:
            agent = self._agents.get((call.server.base_url, match.agent_id)) or Agent(match.agent_id)
        facts = CallFacts(
            server=call.server,
            conversation_id=self._conversation_id(call, seen),
            run_id=match.run_id,
            message_id=match.message_id or (_only_id(seen) if match.conversation_id else None),
            agent=agent and assembly.told(agent, self._texts),
            model=agent.model if agent else None,
            stored=self._stored(seen.stored) if seen and seen.stored else None,
            search=self._search(seen.search) if seen and seen.search else None,
            polls=call.group.polls if call.group else None,
            uploads=len(call.group.uploads) or None if call.group else None,
        )
        error = call.error or _indexing_error(seen)
        error = error and replace(error, message=self._texts.keep("error", error.message))
        return SpanData(SpanKind.CALL, match.route.operation, call.request_ns, call.response_ns, facts, error)

    def _conversation_id(self, call: Call, seen: Observation | None) -> str | None:
        match = call.match
        if call.api.runs_apart and match.run_id is not None:
            return self._conversation_of(call.server.base_url, match.run_id)
        return match.conversation_id or (seen.conversation_id if seen else None)

    def _stored(self, stored: Stored) -> Stored:
        """Names of files and vector stores are content."""
        keep = self._texts.keep
        return replace(
            stored,
            file_name=keep("name", stored.file_name),
            store_name=keep("name", stored.store_name),
            error=None,
        )

    def _search(self, search: Search) -> Search | None:
        if not self._texts.captures:
            return None
        keep = self._texts.keep
        found = (
            replace(d, file_name=keep("name", d.file_name), text=keep("output", d.text))
            for d in search.documents
        )
        queries = tuple(kept for q in search.queries if (kept := keep("input", q)) is not None)
        return replace(search, queries=queries, documents=tuple(found))


def _indexing_error(seen: Observation | None) -> ApiError | None:
    """The call went well, yet what the app waited for did not."""
    stored = seen.stored if seen else None
    if stored is None or stored.status != "failed":
        return None
    return stored.error or ApiError("failed")


def _only_id(seen: Observation | None) -> str | None:
    return seen.messages[0].id if seen and len(seen.messages) == 1 else None
