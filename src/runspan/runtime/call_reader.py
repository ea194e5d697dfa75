"""Calls and fetches on the worker's thread: records -> observations -> tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..apis.api import Exchange
from ..core.model import Observation, Phase, Run, Source
from ..guard import logger
from .call_spans import CallSpans
from .clock import now_ns
from .emitter import Emitter
from .handoffs import RESUMED_S, Handoffs, is_repeated
from .live_run import NOT_FOUND, Live
from .records import Answered, Call, Fetched, Page, Payload, decode, weight
from .tracker import Tracker

FOREIGN = (
    "runspan: run %s was created by another process (or before instrument()) so this process makes no span for it. "
    "Call instrument() where it is created, or runspan.handoff() there and adopt() here."
)


class Reader:
    """Takes the calls in the order in which they ended."""

    def __init__(self, tracker: Tracker, calls: CallSpans, emitter: Emitter, handoffs: Handoffs) -> None:
        self._tracker = tracker
        self._calls = calls
        self._emitter = emitter
        self._custody = handoffs
        self._named_foreign = False

    def call(self, call: Call) -> None:
        self._tracker.scheduler.earn(call.server.base_url, 1)
        if call.match.route.starts_run:
            self._start(call)
        elif call.match.route.is_apart:
            self._calls.write(call, call.match.route.read(_exchange(call, _response(call.result))))
        elif call.error is not None:
            self._calls.write(call, None)
            if call.is_not_found and call.match.route.is_poll:
                self._tracker.observe(call.server, _gone(call))
        else:  # tool outputs that a stream answers count at once; its run follows in events
            response = {} if call.streams else _response(call.result)
            seen = call.match.route.read(_exchange(call, response))
            self._custody.meet(call.server, call.via, seen)
            self._tracker.observe(call.server, seen, weight(call.result) if seen.steps else 0)
            self.meet(call, seen)
            self._calls.write(call, seen)

    def meet(self, call: Call, seen: Observation) -> Live | None:
        """A live run of another process: followed from now on if it carries its identity, else named once.

        A page of runs is history; retrieve, cancel and submit take part in it.
        """
        if len(seen.runs) != 1 or call.match.run_id is None:
            return None
        run = seen.runs[0]
        is_foreign = self._tracker.is_foreign(call.server, run)
        if is_foreign or self._tracker.registry.handed.peek(run.id) is not None:
            self._custody.remember(call, seen)
        if not is_foreign:
            return None
        # Of one that is over already, whoever was told of its end is the first to see it.
        is_alive = run.phase not in (None, Phase.OVER)
        # Else it would tell of the run alive first.
        is_resumed = call.streams and not is_repeated(call, run, RESUMED_S)
        is_news = is_alive or is_resumed or self._tracker.registry.is_announced(run.id)
        is_ours = is_news and run.id not in self._custody.declined
        live = self._custody.follow_shared(call, run) if is_ours else None
        if live is None:
            if is_ours:
                self._name_foreign(run)
            self._custody.forget(call)
            return None
        if call.streams:  # what it submitted was read before there was a run to take it
            self._tracker.observe(call.server, call.match.route.read(_exchange(call, {})))
        self._tracker.observe(call.server, seen)
        return live

    def _name_foreign(self, run: Run) -> None:
        if not self._named_foreign and not self._tracker.counts.unrecorded:  # it may be one of those
            self._named_foreign = True
            logger.info(FOREIGN, run.id)

    def _start(self, call: Call) -> None:
        exchange = _exchange(call, _response(call.result))
        request = self._tracker.request_of(call, exchange.body, streams=call.streams)
        if call.unsampled is not None:
            self._emitter.metrics.unrecorded(self._calls.unrecorded(call, request))
        if call.error is not None:
            self._calls.failed_start(call, request, call.error)
            return
        seen = call.match.route.read(exchange)
        if seen.runs:
            self._tracker.begin(call, request, seen)
            self._tracker.observe(call.server, seen, weight(call.result) + weight(call.body))
        else:
            self._calls.lost_start(call, request, call.response_ns, "unread")
            self._tracker.unlearn(call)

    def give_up(self) -> None:
        """The process ends, and requests that start runs are still on their way: nobody here will learn what becomes of these runs.

        One whose identity travels with the request is left to the process that sees its end.
        """
        for call in self._tracker.registry.in_flight():
            if call.live is None or not call.live.span.is_recording():
                continue
            if call.live.is_shared:
                self._calls.left_to_others(call)
            else:
                request = self._tracker.request_of(call, decode(call.body), streams=call.streams)
                self._calls.lost_start(call, request, now_ns(), "shutdown")

    def answered(self, answered: Answered) -> None:
        self._tracker.open_calls.answered(answered.server, answered.answers, answered.at_ns)

    def fetched(self, fetched: Fetched) -> None:
        live = self._tracker.get_by_key(fetched.key)
        seen = None
        if live is not None and fetched.payload is not None:
            path, query = self._tracker.scheduler.where(live, fetched.what)
            match = live.api.match("get", path)
            if match is not None:
                times = fetched.request_ns, fetched.response_ns
                response = decode(fetched.payload)
                seen = match.route.read(
                    Exchange(match, *times, query=query, response=response, source=Source.FETCH)
                )
        self._tracker.fetched(fetched.key, fetched.what, seen)


def _gone(call: Call) -> Observation:
    """The server that made the run knows it no more."""
    return Observation(
        request_ns=call.request_ns,
        response_ns=call.response_ns,
        conversation_id=call.api.log_of(call.match),
        run_id=call.match.run_id,
        gone=NOT_FOUND,
    )


def _exchange(call: Call, response: Mapping[str, Any]) -> Exchange:
    polls = int(call.match.route.is_poll)
    times = call.request_ns, call.response_ns
    return Exchange(call.match, *times, decode(call.body), call.query or {}, response, polls=polls)


def _response(result: Payload | Page) -> Mapping[str, Any]:
    if isinstance(result, Page):
        return {"data": [decode(item) for item in result.data], "has_more": result.has_more}
    return decode(result)
