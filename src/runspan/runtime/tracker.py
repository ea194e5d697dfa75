"""Live runs and what is known around them. Lives on the worker's thread alone. What the app's threads see of it is in the registry.

In: records of calls and events. Out: spans, through the emitter; GETs, through the fetcher.
"""

from __future__ import annotations

import logging
from collections import Counter

from msgspec.structs import replace

from ..apis.api import Api
from ..config import Config
from ..core import run_messages
from ..core.conversation import Conversation
from ..core.cost import Pricer, no_price
from ..core.fields import Wire
from ..core.lifecycle import RunState, advance, polled_unchanged
from ..core.model import ApiError, Observation, Phase, Run, RunKey, RunRequest, Server, Source, SpanEvent
from ..core.redact import Texts
from ..guard import guarded, swallow
from . import claims, clock, identity
from .call_spans import Agents, Counts
from .fetcher import Fetcher
from .live_run import NOT_FOUND, Live, first_state, registry_key, time_to_live_ns
from .logs import Logs
from .lru import Lru
from .open_calls import OpenCalls
from .outbox import Outbox
from .records import BackgroundClient, Call, LiveSpan, StreamClosed, StreamRef
from .registry import RunEntry, RunRegistry
from .scheduler import RunScheduler
from .span_data import RunSpans

logger = logging.getLogger("runspan")


class Tracker:
    def __init__(
        self,
        config: Config,
        texts: Texts,
        agents: Agents,
        outbox: Outbox,
        fetcher: Fetcher,
        registry: RunRegistry,
        price: Pricer = no_price,
    ) -> None:
        self._limits = config.limits
        self.registry = registry
        self._outbox = outbox
        self._agents = agents
        self._spans = RunSpans(config, texts, agents, price)
        self._keeps_texts = config.keeps_texts
        self.open_calls = OpenCalls(texts, outbox)
        self._live: dict[RunKey, Live] = {}
        self._logs = Logs(config.limits.max_live_bytes, keeps_texts=self._keeps_texts)
        self._done: Lru[RunKey, bool] = Lru(20_000)  # never emitted again
        self._weight = 0
        self.counts = Counts()
        self.dropped: Counter[str] = Counter()
        self.scheduler = RunScheduler(
            config, fetcher, self._live, self._missing, self.finish, self._give_up_streams, self._catch_up
        )

    # ------------------------------------------------------------ runs begin

    def request_of(self, call: Call, body: Wire, *, streams: bool) -> RunRequest:
        """What the app asked for, of a call that starts a run."""
        asked = call.api.read_request(body, streams)
        return self.registry.placed(call.server.base_url, asked)

    def begin(self, call: Call, request: RunRequest, seen: Observation) -> Live | None:
        """A Run of ours, from the response or first event of the POST that created it."""
        run = seen.runs[0]
        key = RunKey(call.server.base_url, run.conversation_id, run.id)
        if call.live is None:
            self._done.put(key, True)
            self.registry.forget(registry_key(call.api, key))
            return None
        known = self._live.get(key)
        if known is not None:  # the server gave the id out again
            self.finish(known, known.ending("evicted"))
        self._done.pop(key)
        if call.api.runs_apart:
            self._logs.begin_anew(key)
        state = first_state(call, key, request, run, seen.response_ns)
        try:
            return self.follow(call.api, state, call.live, call.via)
        finally:
            if key in self._live:
                call.take_span()  # which ends with the run

    def lose(self, call: Call) -> bool:
        """Nobody will read this call: its span ends, and nothing stays of what the app's threads noted of its run."""
        live = call.take_span()
        self.unlearn(call)
        if live is not None:
            live.span.end(max(call.response_ns, call.request_ns) + live.wall_offset_ns)
        return live is not None

    def unlearn(self, call: Call) -> None:
        """The run that this call started is not followed."""
        key = call.learnt
        if key is not None and not any(
            registry_key(live.api, k) == key for k, live in list(self._live.items())
        ):
            self.registry.forget(key)

    def follow(self, api: Api, state: RunState, span: LiveSpan, via: BackgroundClient | None) -> Live:
        """From now on this Run is ours to account for."""
        now_ns = clock.now_ns()
        live = Live(
            api,
            state,
            span,
            RunEntry(span),
            via,
            expires_ns=now_ns + time_to_live_ns(state),
            last_heard_ns=now_ns,
        )
        self.counts.started += 1
        self._weight += live.weight
        self._put(live)
        self.scheduler.prepare(live)
        self._keep_within_bounds()
        return live

    def move(self, live: Live, key: RunKey, server: Server) -> None:
        """A run that was taken over unread turns out to be that one."""
        if self._live.pop(live.key, None) is not None:
            self._logs.leave(live.key)
            self._done.pop(key)
            run = replace(live.state.run, conversation_id=key.conversation_id)
            live.state = replace(live.state, key=key, server=server, run=run)
            self._put(live)

    def _put(self, live: Live) -> None:
        key = live.key
        self._live[key] = live
        live.entry = self.registry.follow(registry_key(live.api, key), live.span)
        self.registry.is_in(key.server, key.run_id, live.state.conversation_id)
        self._logs.join(key)
        self._logs.note_times(live.state)
        live.due_ns = 0
        self.scheduler.schedule(live)

    def _keep_within_bounds(self) -> None:
        """The oldest go out before memory does; the newest stays whatever it weighs."""
        while len(self._live) > 1 and (
            len(self._live) > self._limits.max_live_runs
            or self._weight + self._logs.weight > self._limits.max_live_bytes
        ):
            oldest = next(iter(self._live.values()))
            self.finish(oldest, oldest.ending("evicted"))

    # ------------------------------------------------------------ runs go on

    def observe(self, server: Server, seen: Observation, weight: int = 0) -> None:
        """Take in what one call, event or fetch says of runs, threads and assistants. `weight`: bytes of the steps in it."""
        for agent in seen.agents:
            self._agents.put((server.base_url, agent.id), agent)
        conversation_id = seen.conversation_id or next((run.conversation_id for run in seen.runs), None)
        if conversation_id is None:
            return
        self._logs.record((server.base_url, conversation_id), seen)
        touched = {RunKey(server.base_url, run.conversation_id, run.id) for run in seen.runs}
        if seen.run_id is not None:
            touched.add(RunKey(server.base_url, conversation_id, seen.run_id))
        for key in touched:
            live = self._live.get(key)
            if live is not None:
                self._catch_up(live, seen.request_ns)
                known = live.state
                taken = claims.believed(live, seen)  # counts a poll that is not believed yet
                live.state = advance(live.state, taken)
                if live.state.over_seen is not known.over_seen:
                    self._logs.note_times(live.state)
                if live.state.run.belongs_to != known.run.belongs_to:  # its server named it late
                    self.registry.is_in(key.server, key.run_id, live.state.conversation_id)
                live.last_heard_ns = clock.now_ns()
                if seen.source is not Source.FETCH:
                    live.heard(live.last_heard_ns)
                if live.state.run.required and live.state.is_over and not known.is_over:
                    self.open_calls.asked(live)
                if seen.steps:
                    live.weight += weight
                    self._weight += weight
        if seen.messages or seen.listing:
            touched |= self._logs.keys_in((server.base_url, conversation_id))
        for key in touched:
            live = self._live.get(key)
            if live is not None:
                self._settle(live)
        if seen.gone is not None:
            self._lose_sight(RunKey(server.base_url, conversation_id, seen.run_id or ""), seen.gone)
        self._keep_within_bounds()

    def _lose_sight(self, key: RunKey, why: str) -> None:
        """A server that has several machines may not know a new run on all of them yet: that one may come back."""
        live = self._live.get(key)
        if live is None:
            return
        if why == NOT_FOUND:  # of one that is over, the rest may still be had
            if not live.state.is_over:
                live.gone_ns = clock.now_ns()
                self.scheduler.schedule(live)
        elif live.open_streams and not live.state.is_over:
            live.gone = why  # its stream may go on to the end
        else:
            self.finish(live, None if live.state.is_over else why)

    def _catch_up(self, live: Live, until_ns: int | None = None) -> None:
        """Take in the polls that the app's threads counted. Those since `until_ns` may belong behind a record that comes next."""
        polls = live.entry.take_polls(until_ns)
        if polls:
            numbers, _, asked_ns, answered_ns = zip(*polls, strict=True)
            number, last_ns = sum(numbers), max(answered_ns)
            live.state = polled_unchanged(live.state, number, max(asked_ns), last_ns)
            live.last_heard_ns = max(live.last_heard_ns, last_ns)
            live.heard(last_ns)
            self.scheduler.earn(live.key.server, number)

    def get(self, server: Server, conversation_id: str | None, run_id: str | None) -> Live | None:
        return self._live.get(RunKey(server.base_url, conversation_id or "", run_id or ""))

    def get_by_key(self, key: RunKey) -> Live | None:
        return self._live.get(key)

    def find(self, run_id: str) -> Live | None:
        """By its id alone."""
        return next((live for key, live in self._live.items() if key.run_id == run_id), None)

    def is_foreign(self, server: Server, run: Run) -> bool:
        """Whether nobody here has ever followed this Run."""
        key = RunKey(server.base_url, run.conversation_id, run.id)
        return key not in self._live and key not in self._done

    # ------------------------------------------------------------ streams

    def stream_told(self, live: Live, stream: StreamRef) -> None:
        """The event came behind which the server closes the stream: nothing is to be waited for, though it may be open."""
        if not stream.is_told:
            stream.is_told = True
            live.open_streams = max(0, live.open_streams - 1)

    def stream_closed(
        self, live: Live, stream: StreamRef, closed: StreamClosed, error: ApiError | None
    ) -> None:
        """A closed stream is not an ended run: later calls may still end it, and after `linger` we look once."""
        state = live.state
        if self._keeps_texts:  # of messages that did not complete; the tap bounds their size
            state = replace(state, partial=run_messages.joined(state.partial, stream.texts.texts()))
        if closed.is_cut and not stream.is_told:
            state = replace(state, is_cut=True)
        if error is not None:
            state = replace(state, stream_error=error)
        live.state = state
        self.stream_told(live, stream)
        if not live.open_streams:
            claims.settle(live, closed.at_ns, closed.since_ns)
            self._logs.note_times(live.state)
        state = live.state
        if not state.is_over and state.phase is not Phase.WAITING and not live.open_streams:
            live.closed_early = True
        self._settle(live)

    def _give_up_streams(self, live: Live) -> None:
        """They tell nothing, and elsewhere the run is said to be over."""
        live.open_streams = 0
        claims.settle(live, clock.now_ns())
        self._logs.note_times(live.state)
        self._settle(live)

    def first_token(self, live: Live, stream: StreamRef) -> None:
        """The first text of a run counts, whichever of its streams brought it."""
        if live.state.first_token_ns is None and stream.first_token_ns is not None:
            since_ns, at_ns = stream.first_token_since_ns, stream.first_token_ns
            live.state = replace(live.state, first_token_ns=at_ns, first_token_since_ns=since_ns)

    def note(self, live: Live, event: SpanEvent) -> None:
        if len(live.state.notes) < 16:
            live.state = replace(live.state, notes=(*live.state.notes, event))

    # ------------------------------------------------------------ runs end

    def _settle(self, live: Live) -> None:
        """Emit a run that is over and whole; else wait for what may come."""
        if live.state.is_over:
            if live.ended_ns is None:
                live.ended_ns = clock.now_ns()
            # The app may still read what a trace is richer by: all of the steps are the last that it can.
            if live.state.has_all_steps and not live.open_streams and not self._missing(live):
                self.finish(live)
                return
        elif live.gone is not None and not live.open_streams:
            self.finish(live, live.gone)
            return
        self.scheduler.schedule(live)

    def _missing(self, live: Live) -> list[str]:
        log = self._logs.of(live.key)
        return [what for what in live.api.lacks(live.state, log, self._keeps_texts) if what not in live.tried]

    def finish(self, live: Live, unfinished: str | None = None) -> None:
        """The run goes out, once; or, if it is another process's to emit, it is only counted."""
        if self._live.pop(live.key, None) is None:
            return
        with guarded("settle what a run claims to be"):
            self._catch_up(live)
            if unfinished and claims.settle(live, clock.now_ns()):
                unfinished = None
        try:
            self._go_out(live, self._let_go(live), unfinished)
        except Exception as error:
            self.dropped["error"] += 1
            swallow("finish a run", error)
            with guarded("end the span of a run that could not be finished"):
                live.span.span.end()

    def _let_go(self, live: Live) -> Conversation:
        key = live.key
        self._park(live)
        self.registry.forget(registry_key(live.api, key))
        self._weight -= live.weight
        log = self._logs.leave(key)
        self._done.put(key, True)
        self.registry.ended.put(key.run_id, live.span.span.get_span_context())
        return log

    def _park(self, live: Live) -> None:
        """Keep what the app's tools need of a run that asked for them and is over."""
        if live.state.run.required and live.state.is_over:
            with guarded("keep what the tools of a run need"):
                live.entry.live = identity.over(live.span)
                self.registry.park(registry_key(live.api, live.key), live.entry)

    def _go_out(self, live: Live, log: Conversation, unfinished: str | None) -> None:
        is_given_away = live.entry.settle("emitted") == "handed"
        if is_given_away:
            self.registry.handed.put(live.key.run_id, live.entry.carrier or {})
        if is_given_away or (live.span.is_shared and unfinished):
            self.counts.handed_off += 1
            return
        data, lacks = self._spans.of(live, log, unfinished)
        if self._outbox.send(live.span, data):
            if lacks:
                self.counts.missing.update(lacks)
            self.counts.unfinished += bool(unfinished)
            self.counts.emitted += not unfinished

    def fetched(self, key: RunKey, what: str, seen: Observation | None) -> None:
        """A GET came back, with something to observe or with nothing. A look that found the run alive is followed by later ones."""
        live = self._live.get(key)
        if live is None:
            return
        live.asked.discard(what)
        live.tried.add(what)
        if seen is not None:
            self.observe(live.state.server, seen)
        if key not in self._live:
            return
        if live.ended_ns is None or self.scheduler.ask(live) or not self.scheduler.has_settled(live):
            self.scheduler.schedule(live)
        else:
            self.finish(live)

    def emit_over(self) -> None:
        """Everything that is over goes out, whole or not."""
        for live in list(self._live.values()):
            if live.ended_ns is not None:
                self.finish(live)

    def emit_all(self, unseen: str = "shutdown") -> None:
        """Everything goes out. `unseen`: why the end of a run was not seen, where nothing else is the reason."""
        for live in list(self._live.values()):
            self.finish(live, live.ending(unseen))

    def give_away(self, run_id: str) -> None:
        """A run that the app handed off: another process will see to it."""
        live = self.find(run_id)
        if live is not None and live.entry.carrier is not None:
            self.finish(live)

    def count_unrecorded(self) -> None:
        self.counts.unrecorded += 1

    @property
    def live(self) -> int:
        return len(self._live)
