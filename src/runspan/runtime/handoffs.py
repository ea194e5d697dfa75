"""Runs that go from one process to another: given away with headers, taken over by them, or shared through the run's metadata.

A run that was given away is no longer ours, whatever is read of it later. One that was taken over is ours from then on, read
already or not. Of a shared one each process that meets it alive keeps account, and the one whose app sees the end emits it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ..apis.api import Api, Apis
from ..conventions import observed as words
from ..conventions.backend_attributes import NONE, BackendAttributes
from ..core import run_context as lines
from ..core.assembly import of_run
from ..core.lifecycle import Change, RunState, ToolRound
from ..core.model import Observation, Phase, Run, RunFacts, RunKey, Server, ToolCall
from ..core.run_context import RunContext
from ..guard import logger
from . import clock, identity, work_unit
from . import tool_claims as pending
from .call_spans import CallSpans
from .emitter import Emitter
from .identity import Headers
from .live_run import SECOND_NS, Live
from .lru import Lru
from .records import BackgroundClient, Call, LiveSpan, WorkerTask
from .registry import RunEntry, unread
from .tool_claims import Pending
from .tracker import Tracker

ADOPTED = "adopted"

_UNKNOWN = Server("", None, None, "openai")

NOT_LIVE = (
    "runspan: handoff(%r): no such run is alive in this process, so nothing is handed off. Call it in the process that created it, "
    "after runs.create and before its end was seen. This is logged once."
)
NOTHING_TO_ADOPT = (
    "runspan: adopt(%r): the headers name no run. Pass the whole dict that runspan.handoff() returned; it names no run "
    "if the run had ended already or its creator is not instrumented. This is logged once."
)
STAMP_S = 1  # what a stamp in whole seconds leaves open
RESUMED_S = 60  # after the end of a run, a stream that begins in its middle goes on with one that was cut


class Handoffs:
    def __init__(
        self,
        tracker: Tracker,
        emitter: Emitter,
        calls: CallSpans,
        put: Callable[[Any], None],
        apis: Apis,
        extra: BackendAttributes = NONE,
    ) -> None:
        self._apis = apis
        self._tracker = tracker
        self._emitter = emitter
        self._calls = calls
        self._put = put
        self._extra = extra
        self._registry = tracker.registry
        self.expected = tracker.registry.expected
        self._strangers = Lru[str, tuple[Server, BackgroundClient | None, Observation]](
            256, _weight, 4_000_000
        )
        self.declined: Lru[str, bool] = Lru(10_000)  # run ids
        self._said: set[str] = set()

    # ------------------------------------------------------------ on the app's threads

    def hand_off(self, run_id: str) -> Headers:
        """Give a live run away; asked again, the same headers. Of any other run: headers of what is current here."""
        handed = self._registry.handed.peek(run_id)
        if handed is not None:
            return dict(handed)
        of = self._registry.of_run(run_id)
        if of is None:
            unsampled = self._registry.unsampled.get(run_id)
            if unsampled is not None:
                return identity.headers_of(unsampled)
            self._say(NOT_LIVE, run_id)
            return identity.headers_here()
        if of.carrier is None:
            of.carrier = self._headers(of)
        if of.settle("handed") != "handed":  # it went out this very moment
            return identity.headers_here()
        self._put(WorkerTask(lambda: self._tracker.give_away(run_id)))
        return dict(of.carrier)

    def adopt(self, run_id: str, carrier: object) -> Any:
        """Take a run over; the Context to go on in. Of nothing, of what is held here, or not sampled: only the Context."""
        carried, context = identity.read(carrier)
        if carried is None or not carried.is_sampled:
            if carried is not None or identity.is_unsampled(context):
                self._put(WorkerTask(lambda: self.declined.put(run_id, True)))
            else:
                self._say(NOTHING_TO_ADOPT, run_id)
            return context
        held = self._registry.of_run(run_id)
        if held is not None and held.carrier is None:
            held.live.is_shared = False  # if it was
            return identity.within(held.live)
        if self._registry.ended.peek(run_id) is not None and self._registry.handed.peek(run_id) is None:
            return context  # emitted here: the task came a second time
        carried = _on_our_clock(carried)
        live = self._begin(carried, context, self._apis.named(carried.api))
        if live.span.is_recording():
            self._take(run_id, carried, live)
        else:
            self._tracker.count_unrecorded()
            self._put(WorkerTask(lambda: self.declined.put(run_id, True)))
        return identity.within(live)

    def share(self, call: Call, line: str | None) -> None:
        """A run that carries its identity is met for the first time, by this call."""
        carried = None if line is None else lines.decode(line)
        if carried is not None and carried.is_sampled:
            live = self._begin(_on_our_clock(carried), identity.context_of(carried), call.api)
            if live.span.is_recording():
                live.is_shared = True
                call.met = live
                if call.run_key is not None:
                    self._registry.follow(call.run_key, live)

    def line_of(self, live: LiveSpan) -> str:
        """The identity of a run that is about to be created, for its metadata; from now on it is a shared one."""
        live.is_shared = True
        live.tracer = identity.following(live.tracer, live.span.get_span_context())
        carried = identity.carry(live, api=self._name(live))
        no_texts = {k: v for k, v in carried.scope.items() if k != words.METADATA}
        return lines.encode(replace(carried, response_ns=None, scope=no_texts), lines.MAX_METADATA_CHARS)

    def count_unpropagated(self) -> None:
        self._tracker.dropped["not_propagated"] += 1

    def _headers(self, of: RunEntry) -> Headers:
        waiting = pending.waiting_of(of)
        calls = tuple(ToolCall(p.call_id, "function", p.name) for p in waiting)
        since_ns = waiting[0].since_ns + of.live.wall_offset_ns if waiting else None
        more = {"waiting": calls, "waiting_since_ns": since_ns}
        return identity.headers(
            of.live, identity.carry(of.live, api=self._name(of.live), claimed=of.claimed(), **more)
        )

    def _name(self, live: LiveSpan) -> str | None:
        return live.api.name if live.api not in (None, self._apis.first) else None

    def _begin(self, carried: RunContext, context: Any, api: Api) -> LiveSpan:
        """Its creator's clock may be ahead of ours: nothing begins in the future."""
        carried = replace(carried, request_ns=min(carried.request_ns, clock.now_ns()))
        run = Run("", carried.conversation_id or "", agent_id=carried.request.agent_id)
        facts = RunFacts(_UNKNOWN, carried.request, run, origin=ADOPTED, api=api.name)
        data = of_run(facts, carried.request_ns, carried.request_ns)
        context = identity.with_scope(context, carried.scope, self._extra)
        live = self._emitter.begin_adopted(self._calls.named(data), carried, context)
        live.api = api
        return live

    def _take(self, run_id: str, carried: RunContext, live: LiveSpan) -> None:
        of = self._registry.expect(run_id, live, carried.claimed)
        if carried.waiting:  # for the app's own tools, here
            since_ns = carried.waiting_since_ns or carried.request_ns
            calls = [
                Pending(unread(run_id), carried.conversation_id, c.id, c.name or "", "{}", of, since_ns)
                for c in carried.waiting
            ]
            pending.saw(of, calls, unit=work_unit.here(identity.within(live)))
        self._put(WorkerTask(lambda: self._adopted(run_id, carried, live)))

    def _say(self, line: str, run_id: str) -> None:
        if line not in self._said:
            self._said.add(line)
            logger.warning(line, run_id)

    # ------------------------------------------------------------ on the worker's

    def _adopted(self, run_id: str, carried: RunContext, live: LiveSpan) -> None:
        self._registry.handed.pop(run_id)
        known = self._tracker.find(run_id)
        if known is not None:  # shared until now, or adopted twice
            known.span.is_shared = False
            self._registry.forget_expected(run_id)
            return
        self.expected.add(run_id)
        api = self._apis.named(carried.api)
        self._tracker.follow(api, _first_state(api, run_id, carried, live), live, None)
        past = self._strangers.pop(run_id)
        if past is not None:
            server, via, seen = past
            self.meet(server, via, seen)
            self._tracker.observe(server, seen)

    def meet(self, server: Server, via: BackgroundClient | None, seen: Observation) -> None:
        """What is about to be observed may speak of runs that were taken over and not read yet."""
        if not self.expected:
            return
        named = [(run.id, run.conversation_id) for run in seen.runs]
        if seen.run_id is not None and seen.conversation_id is not None:
            named.append((seen.run_id, seen.conversation_id))
        for run_id, conversation_id in named:
            if run_id not in self.expected:
                continue
            live = self._unread(run_id, conversation_id)
            if live is not None:
                self._tracker.move(live, RunKey(server.base_url, conversation_id, run_id), server)
            if via is not None:
                known = self._tracker.find(run_id)
                if known is not None and known.via is None:
                    known.via = via
        self.expected -= {run.id for run in seen.runs if run.created_at is not None}

    def _unread(self, run_id: str, conversation_id: str) -> Live | None:
        """Taken over, its server still unknown; its thread is, unless the carrier knew."""
        keys = (RunKey(_UNKNOWN.base_url, thread, run_id) for thread in (conversation_id, ""))
        return next(filter(None, map(self._tracker.get_by_key, keys)), None)

    def remember(self, call: Call, seen: Observation) -> None:
        """Read by an app that may take it over later."""
        self._strangers.put(seen.runs[0].id, (call.server, call.via, seen))

    def follow_shared(self, call: Call, run: Run) -> Live | None:
        """Keep account of a shared run from its first sighting on."""
        if call.met is None and run.carried is not None:
            self.share(call, run.carried)
        live = call.met
        if live is None:
            return None
        # The app took over the metadata of another run.
        if live.conversation_id not in (None, run.conversation_id):
            self.forget(call)
            return None
        carried = RunContext("", "", None, 1, live.request_ns, call.request_ns, request=live.asked)
        state = _first_state(call.api, run.id, carried, live)
        key = RunKey(call.server.base_url, run.conversation_id, run.id)
        state = replace(
            state, key=key, server=call.server, run=replace(run, status=None), created_at=run.created_at
        )
        return self._tracker.follow(call.api, state, live, call.via)

    def forget(self, call: Call) -> None:
        """It was met, but is not to be followed here."""
        if call.met is not None:
            entry = self._registry.get(call.run_key)
            if call.run_key is not None and entry is not None and entry.live is call.met:
                self._registry.forget(call.run_key)
            call.met = None


def is_repeated(call: Call, run: Run, within_s: float) -> bool:
    """Whether the run was over for longer than that when the call asked for a stream of it: another process saw the end.

    By the server's stamps, placed on our clock by those of the run's creation; without them it is new.
    """
    carried = lines.decode(run.carried) if run.carried else None
    if carried is None or run.created_at is None or run.ended_at is None:
        return False
    after_s = (call.request_ns - _on_our_clock(carried).request_ns) / SECOND_NS
    return run.ended_at - run.created_at + within_s < after_s


def _weight(past: tuple[Server, BackgroundClient | None, Observation]) -> int:
    run = past[2].runs[0]
    return 1_000 + len(run.instructions or "") + 200 * len(run.tools)


def _on_our_clock(carried: RunContext) -> RunContext:
    """With times of `runtime.clock`; what travels is the wall clock's."""
    offset_ns = clock.wall_offset_ns()
    times = {
        name: at_ns - offset_ns
        for name in ("request_ns", "response_ns", "waiting_since_ns")
        if (at_ns := getattr(carried, name)) is not None
    }
    return replace(carried, **times)


def _first_state(api: Api, run_id: str, carried: RunContext, live: LiveSpan) -> RunState:
    """Before anything was read of it here."""
    response_ns = max(min(carried.response_ns or 0, clock.now_ns()), live.request_ns)
    state = RunState(
        key=RunKey(_UNKNOWN.base_url, carried.conversation_id or "", run_id),
        server=_UNKNOWN,
        vocabulary=api.vocabulary,
        api=api.name,
        shown_conversation_id=api.conversation_of(run_id, "", carried.request) or None,
        request=carried.request,
        request_ns=live.request_ns,
        response_ns=response_ns,
        run=Run(run_id, carried.conversation_id or "", agent_id=carried.request.agent_id),
        last_alive_ns=live.request_ns,
        last_seen_ns=response_ns,
        origin=ADOPTED,
    )
    if not carried.waiting:
        return state
    since_ns = max(min(carried.waiting_since_ns or 0, clock.now_ns()), live.request_ns)
    opened = Change(api.vocabulary.waiting, Phase.WAITING, since_ns, since_ns)
    return replace(
        state,
        phase=Phase.WAITING,
        changes=(opened,),
        rounds=(ToolRound(carried.waiting, opened),),
        sighted_ns=since_ns,
        last_alive_ns=since_ns,
        last_seen_ns=max(response_ns, since_ns),
    )
