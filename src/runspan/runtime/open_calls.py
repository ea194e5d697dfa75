"""Tool calls that runs ask the app for and that the app answers after the run, with its next request.

Such a run is over, so its span does not wait. The call's own span runs from the moment when the app saw the call to the request
that brings its output, beside the run's; unless a function of the app has taken the call. On the worker's thread alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from ..core import tools
from ..core.lifecycle import RunState
from ..core.model import Server, SpanData, SpanKind, ToolCall, ToolFacts
from ..core.redact import Texts
from . import identity
from .live_run import Live
from .lru import Lru
from .outbox import Outbox
from .records import LiveSpan
from .registry import RunEntry

MAX_OPEN = 10_000
MAX_CHARS = 16_000_000  # of their arguments, together


class _Open(Struct, frozen=True):
    """`live` is the run's span, which has ended or will."""

    call: ToolCall
    state: RunState
    entry: RunEntry
    live: LiveSpan


class OpenCalls:
    def __init__(self, texts: Texts, outbox: Outbox) -> None:
        self._texts = texts
        self._outbox = outbox
        self._open = Lru[tuple[str, str], _Open](MAX_OPEN, _weight, MAX_CHARS)

    def asked(self, live: Live) -> None:
        """The run is over, and asks for these."""
        bare = replace(live.state, steps={}, partial={}, run=replace(live.state.run, instructions=None))
        for call in live.state.run.required:
            self._open.put((live.key.server, call.id), _Open(call, bare, live.entry, live.span))

    def answered(self, server: Server, outputs: Iterable[ToolCall], at_ns: int) -> None:
        """A request of that moment brought the outputs."""
        for output in outputs:
            known = self._open.pop((server.base_url, output.id))
            if known is None:
                continue
            data, context = self._span(known, output, at_ns), identity.beside(known.live)
            self._outbox.measure_tool(data, context)
            if known.entry.claim(output.id):
                self._outbox.send(context, data)

    def _span(self, known: _Open, output: ToolCall, at_ns: int) -> SpanData:
        state = known.state
        seen_ns = known.entry.seen_ns or state.noticed_ns or (state.over_seen or (at_ns, at_ns))[1]
        call = tools.kept(replace(known.call, output=output.output), self._texts)
        facts = ToolFacts(
            state.server,
            call,
            conversation_id=state.conversation_id,
            description=self._texts.keep("tool.definitions", _description(state, known.call.name)),
        )
        return SpanData(SpanKind.TOOL, "execute_tool", min(seen_ns, at_ns), at_ns, facts)


def _description(state: RunState, name: str | None) -> str | None:
    for tool in state.run.tools:
        function = tool.get("function")
        if isinstance(function, dict) and function.get("name") == name:
            described = function.get("description")
            return described if isinstance(described, str) else None
    return None


def _weight(known: _Open) -> int:
    return 500 + len(known.call.arguments or "")
