"""A call of ours before it is made: its record, and the span that begins with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from ..config import Config
from ..core.assembly import of_run
from ..core.model import Agent, CallFacts, RunFacts, SpanData, SpanKind, Stored
from ..core.run_context import KEY
from ..guard import guarded, swallow
from ..runtime import emitter as emit
from ..runtime import helper_call, tool_claims
from ..runtime.clock import now_ns
from ..runtime.emitter import Emitter
from ..runtime.handoffs import Handoffs
from ..runtime.records import Answered, BackgroundClient, Call, LiveSpan
from ..runtime.registry import RunRegistry
from .library import OURS, Found, Library
from .other_instrumentations import SUPPRESSING

LOOK_NS = 1_000_000_000  # between two looks for other tracers, where no sign says that one came

AgentOf = Callable[[tuple[str, str]], "Agent | None"]  # (server, agent id) -> what is known of it


class Starts:
    """`library` says what a call is about to send. `look_around` is told what stands on a client itself in place of its method:
    other tracers may have come. `put` hands records to the worker.
    """

    def __init__(
        self,
        library: Library,
        config: Config,
        emitter: Emitter,
        registry: RunRegistry,
        handoffs: Handoffs,
        agent_of: AgentOf,
        look_around: Callable[[Any], None],
        put: Callable[[Any], None],
    ) -> None:
        self._library = library
        self._header, self._server = library.header, library.server  # of every call
        self._calls = config.calls
        self._propagates = config.propagate_in_metadata
        self._emitter = emitter
        self._registry = registry
        self._handoffs = handoffs
        self._agent_of = agent_of
        self._look_around = look_around
        self._put = put
        self._looked_ns = 0
        self._signs: tuple[Any, ...] = ()

    def begin(
        self, found: Found, request: Any, client: Any, kwargs: Mapping[str, Any], *, is_async: bool
    ) -> Call | None:
        """The record of a call of ours, with its span begun; None: pass it through. Never raises."""
        call: Call | None = None
        try:
            is_ours = self._header(request, OURS)  # ddtrace's contexts keep no suppression
            if is_ours or (emit.is_suppressed() and not self._is_suppressed_by_tracer(client)):
                return None
            call = Call(*found, self._server(client, request), now_ns(), streams=bool(kwargs.get("stream")))
            return call if self._begin(call, client, request, is_async=is_async) else None
        except Exception as error:
            swallow("begin to observe a call", error)
            with guarded("let go of a call that could not be begun"):
                if call is not None and (live := call.take_span()) is not None:
                    live.span.end()
            return None

    def _is_suppressed_by_tracer(self, client: Any) -> bool:
        """By one of the same client (Logfire), for those below it: not meant for us. Next time we go past it."""
        if not emit.name_of_current_scope().startswith(SUPPRESSING):
            return False
        self._look_for_tracers(client)
        return True

    def _look_for_tracers(self, client: Any) -> None:
        """Others may have come since the last look, which costs the worker 0.3 ms: too much for each run of a busy app."""
        of_client = self._library.signs(client)
        signs = len(sys.modules), *of_client
        if signs != self._signs or now_ns() > self._looked_ns + LOOK_NS:
            self._signs, self._looked_ns = signs, now_ns()
            self._look_around(of_client[0])

    def _begin(self, call: Call, client: Any, request: Any, *, is_async: bool) -> bool:
        """False: pass the call through."""
        match, route = call.match, call.match.route
        if route.only_answers:
            self._answer(call, request)
            return False
        call.query = self._library.query(request)
        if route.is_apart:
            return self._begin_apart(call, request)
        if match.run_id is not None:
            run_id = self._registry.meant(call.server.base_url, match.run_id)
            if run_id != match.run_id:
                call.match = match = replace(match, run_id=run_id)
            call.run_key = call.api.run_key(call.server.base_url, run_id, match.conversation_id)
            call.entry = self._registry.followed(call.run_key)
            if call.entry is None or run_id in self._registry.expected:
                call.via = self._background(call, client, request, is_async=is_async)
        if route.is_write:
            self._begin_write(call, client, request, is_async=is_async)
        elif self._calls == "all":
            call.context = emit.slim_context()
        return True

    def _begin_write(self, call: Call, client: Any, request: Any, *, is_async: bool) -> None:
        route, sent = call.match.route, None
        if route.reads_body:
            with guarded("copy a request"):
                sent = self._library.sent(request)
                call.body = self._library.dumped(request, sent)
        if route.starts_run:
            self._library.note_secrets(client)
            call.via = self._background(call, client, request, is_async=is_async)
            self._answer(call, request)
            call.live = self._emitter.begin(run_data(call, sent, self._agent_of))
            call.live.api = call.api
            call.live.asked = self._registry.placed(call.server.base_url, call.live.asked)
            call.context = call.live.context
            self._registry.began(call)
            if self._propagates and call.live.span.is_recording():
                self._put_key(call, call.live, request)
            self._look_for_tracers(client)
        elif self._calls != "none":
            call.context = emit.slim_context()
            if self._calls == "all" or emit.is_under_sampled_span():
                call.live = self._emitter.begin(call_data(call))

    def _put_key(self, call: Call, live: LiveSpan, request: Any) -> None:
        """Have the call send the run's identity in one key of its metadata: with a copy, the app's objects stay as they are."""
        with guarded("put the run's identity into its metadata"):
            live.conversation_id = call.match.conversation_id
            most = call.api.metadata_keys
            call.sends = self._library.with_metadata(request, KEY, lambda: self._handoffs.line_of(live), most)
            if call.sends is None:  # an app that uses all keys keeps them
                self._handoffs.count_unpropagated()

    def _answer(self, call: Call, request: Any) -> None:
        """It may bring outputs of tool calls that runs asked for which are over by now."""
        if not self._registry.may_be_answered:
            return
        answers = call.api.answers(partial(self._library.field, request))
        if answers.outputs:
            if answers.continues is not None:
                continues = self._registry.meant(call.server.base_url, answers.continues)
                answers = replace(answers, continues=continues)
            tool_claims.answered(call.server.base_url, answers)
            self._put(Answered(call.server, call.request_ns, answers))

    def _begin_apart(self, call: Call, request: Any) -> bool:
        """A call that tells nothing of runs: for its own span, or as a part of its helper's. False: pass it through."""
        route, group = call.match.route, helper_call.current()
        if group is not None:
            group.saw(route, is_poll=not route.is_write)
            return False
        if self._calls == "none" or route.is_poll or not (route.is_write or self._calls == "all"):
            return False
        call.context = emit.slim_context()
        if self._calls == "all" or emit.is_under_sampled_span():
            if route.reads_body:
                # Never a file: those travel apart.
                call.body = self._library.dumped(request, self._library.sent(request))
            call.live = self._emitter.begin(call_data(call))
        return True

    def _background(
        self, call: Call, client: Any, request: Any, *, is_async: bool
    ) -> BackgroundClient | None:
        """How to ask for more of this run later; None: not possible."""
        with guarded("keep what a background request needs"):
            return self._library.via(call, client, request, is_async=is_async)
        return None


# ---------------------------------------------------------------- what samplers may want to know; all else is set at the end


def run_data(call: Call, sent: Any, agent_of: AgentOf) -> SpanData:
    """Of a run; `sent` is the body of its request."""
    request = call.api.read_request(sent if isinstance(sent, dict) else {}, call.streams)
    agent = agent_of((call.server.base_url, request.agent_id)) if request.agent_id else None
    if agent is not None:
        agent = replace(agent, description=None)  # a text: it goes out at the end, redacted
    elif request.agent_id:
        agent = Agent(request.agent_id, request.agent_name)
    facts = RunFacts(call.server, request, agent=agent, captured=False, api=call.api.name)
    return of_run(facts, call.request_ns, call.request_ns)


def call_data(call: Call) -> SpanData:
    """Of any other call."""
    stored = Stored(store_id=call.match.store_id) if call.match.store_id else None
    facts = CallFacts(call.server, call.match.conversation_id, call.match.run_id, stored=stored)
    return SpanData(SpanKind.CALL, call.match.route.operation, call.request_ns, call.request_ns, facts)
