"""Tool calls that runs ask the app for and that the app answers after the run, with its next request.

Such a run is over, so its span does not wait. The call's own span runs from the moment when the app saw the call to the request
that brings its output, beside the run's; unless a function of the app has taken the call. On the worker's thread alone.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ..core import ids, tools
from ..core.answers import Answers
from ..core.lifecycle import RunState
from ..core.model import Server, SpanData, SpanKind, ToolCall, ToolFacts
from ..core.redact import Texts
from . import identity
from .live_run import Live
from .lru import Lru
from .outbox import Outbox
from .registry import RunEntry

MAX_OPEN = 10_000
MAX_ALIKE = 256  # of one server, with one id
MAX_CHARS = 32_000_000  # together
BASE_WEIGHT = 2_000  # of one, beside its texts


class _Open(Struct, frozen=True):
    """A call, and what its span will tell of its run: neither the run's state nor its span, as thousands may wait for ever."""

    call: ToolCall
    server: Server
    run_id: str
    conversation_id: str
    step_id: str | None
    description: str | None  # of the function
    seen_ns: int | None  # when the run was seen to be over, where the app did not see it ask
    entry: RunEntry


class OpenCalls:
    def __init__(self, texts: Texts, outbox: Outbox) -> None:
        self._texts = texts
        self._outbox = outbox
        self._open = Lru[tuple[str, str], tuple[_Open, ...]](MAX_OPEN, _weight, MAX_CHARS)

    def asked(self, live: Live) -> None:
        """The run is over, and asks for these."""
        steps = {c.id: step.id for step in live.state.steps.values() for c in step.tool_calls}
        for call in live.state.run.required:
            key = live.key.server, ids.shown(call.id)
            known = _opened(call, live, steps.get(call.id))
            self._open.put(key, (*(self._open.pop(key) or ())[1 - MAX_ALIKE :], known))

    def answered(self, server: Server, answers: Answers, at_ns: int) -> None:
        """A request of that moment brought the outputs. Of more with one id than calls, those before the last are history."""
        by_id: dict[str, list[ToolCall]] = {}
        for output in answers.outputs:
            by_id.setdefault(output.id, []).append(output)
        for id_, outputs in by_id.items():
            taken = self._take((server.base_url, id_), answers, len(outputs))
            if not taken and answers.names_run:  # of a call without an id, under one of the app's own
                taken = self._take((server.base_url, ""), answers, len(outputs))
            for known, output in zip(taken, outputs[-len(taken) :], strict=False):
                data, context = self._span(known, output, at_ns), identity.within(known.entry.live)
                self._outbox.measure_tool(data, context)
                if known.entry.claim(known.call.id):
                    self._outbox.send(context, data)

    def _take(self, key: tuple[str, str], answers: Answers, most: int) -> list[_Open]:
        """The calls that are answered, all of one run, in order; none where there is a doubt."""
        alike = self._open.pop(key) or ()
        fit = [known for known in alike if _is_answered(known, answers)]
        newest = [known for known in fit if known.entry is fit[-1].entry][:most]
        taken = newest if answers.names_run or all(k.entry is fit[0].entry for k in fit) else []
        left = tuple(known for known in alike if not any(known is one for one in taken))
        if left:
            self._open.put(key, left)
        return taken

    def _span(self, known: _Open, output: ToolCall, at_ns: int) -> SpanData:
        seen_ns = known.entry.seen_ns or known.seen_ns or at_ns
        call = tools.kept(replace(known.call, output=output.output), self._texts)
        description = self._texts.keep("tool.definitions", known.description)
        facts = ToolFacts(known.server, call, conversation_id=known.conversation_id, description=description)
        return SpanData(SpanKind.TOOL, "execute_tool", min(seen_ns, at_ns), at_ns, facts)


def _opened(call: ToolCall, live: Live, step_id: str | None) -> _Open:
    state = live.state
    seen_ns = state.noticed_ns or (state.over_seen[1] if state.over_seen else None)
    return _Open(
        *(call, state.server, state.key.run_id, state.conversation_id, step_id),
        *(_description(state, call.name), seen_ns, live.entry),
    )


def _description(state: RunState, name: str | None) -> str | None:
    for tool in state.run.tools:
        function = tool.get("function")
        if isinstance(function, dict) and function.get("name") == name:
            described = function.get("description")
            return described if isinstance(described, str) else None
    return None


def _is_answered(known: _Open, answers: Answers) -> bool:
    return answers.are_of(known.call, known.run_id, known.conversation_id, known.step_id)


def _weight(alike: tuple[_Open, ...]) -> int:
    return sum(
        BASE_WEIGHT + len(known.call.arguments or "") + len(known.description or "") for known in alike
    )
