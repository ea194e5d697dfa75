"""Tool calls that runs ask the app for and that the app answers after the run, with its next request.

Such a run is over, so its span does not wait. The call's own span runs from the moment when the app saw the call to the request
that brings its output, beside the run's; unless a function of the app has taken the call. On the worker's thread alone.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ..core import tools
from ..core.answers import Answers
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
MAX_ALIKE = 256  # of one server, with one id
MAX_CHARS = 16_000_000  # of their arguments, together


class _Open(Struct, frozen=True):
    """`live` is the run's span, which has ended or will."""

    call: ToolCall
    state: RunState
    entry: RunEntry
    live: LiveSpan
    step_id: str | None


class OpenCalls:
    def __init__(self, texts: Texts, outbox: Outbox) -> None:
        self._texts = texts
        self._outbox = outbox
        self._open = Lru[tuple[str, str], tuple[_Open, ...]](MAX_OPEN, _weight, MAX_CHARS)

    def asked(self, live: Live) -> None:
        """The run is over, and asks for these."""
        bare = replace(live.state, steps={}, partial={}, run=replace(live.state.run, instructions=None))
        for call in live.state.run.required:
            key = live.key.server, call.id
            known = _Open(call, bare, live.entry, live.span, _step_of(live.state, call.id))
            self._open.put(key, (*(self._open.pop(key) or ())[1 - MAX_ALIKE :], known))

    def answered(self, server: Server, answers: Answers, at_ns: int) -> None:
        """A request of that moment brought the outputs. Of several with one id, those before the last are history."""
        for id_, output in {output.id: output for output in answers.outputs}.items():
            known = self._take((server.base_url, id_), answers)
            if known is None:
                continue
            data, context = self._span(known, output, at_ns), identity.beside(known.live)
            self._outbox.measure_tool(data, context)
            if known.entry.claim(id_):
                self._outbox.send(context, data)

    def _take(self, key: tuple[str, str], answers: Answers) -> _Open | None:
        """The call that is answered; None where there is none, or a doubt."""
        alike = self._open.pop(key) or ()
        fit = [known for known in alike if _is_answered(known, answers)]
        taken = fit[-1] if fit and (answers.names_run or len(fit) == 1) else None
        left = tuple(known for known in alike if known is not taken)
        if left:
            self._open.put(key, left)
        return taken

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


def _is_answered(known: _Open, answers: Answers) -> bool:
    return answers.are_of(known.call, known.state.key.run_id, known.state.conversation_id, known.step_id)


def _step_of(state: RunState, call_id: str) -> str | None:
    return next((s.id for s in state.steps.values() if any(c.id == call_id for c in s.tool_calls)), None)


def _weight(alike: tuple[_Open, ...]) -> int:
    return sum(500 + len(known.call.arguments or "") for known in alike)
