"""A run that goes out, as the data of its spans: redacted, priced, without the calls whose span the app's own function is."""

from __future__ import annotations

from msgspec.structs import replace

from ..apis.api import RUN, USAGE
from ..config import Config
from ..core import assembly, usage
from ..core.conversation import Conversation
from ..core.cost import Pricer
from ..core.limits import Limits
from ..core.model import RunFacts, SpanData
from ..core.redact import Texts
from .call_spans import Agents
from .live_run import Live


class RunSpans:
    def __init__(self, config: Config, texts: Texts, agents: Agents, price: Pricer) -> None:
        self._texts = texts
        self._agents = agents
        self._price = price
        self._limits = Limits(
            max_input_messages=config.limits.max_input_messages,
            max_message_chars=config.limits.max_message_chars,
        )
        self._event_texts = replace(texts, captures=True) if config.content_events else None
        self._keeps_texts = config.keeps_texts

    def of(self, live: Live, log: Conversation, unfinished: str | None) -> tuple[SpanData, tuple[str, ...]]:
        """The span tree, and what it lacks."""
        agent_id = live.state.run.agent_id or live.state.request.agent_id or ""
        agent = self._agents.get((live.key.server, agent_id))
        data = assembly.assemble(
            *(live.state, log, agent, self._texts, self._limits),
            *(unfinished, self._price, self._event_texts),
        )
        entry = live.entry
        data = assembly.without_calls(
            data, lambda call_id: bool(call_id) and not entry.claim(call_id), entry.errors
        )
        lacks = tuple(what for what in live.api.missing(live.state, log, self._keeps_texts) if what != RUN)
        if usage.is_missing(live.state):
            lacks = (*lacks, USAGE)
        if lacks and isinstance(data.facts, RunFacts):
            data = replace(data, facts=replace(data.facts, missing=lacks))
        return data, lacks
