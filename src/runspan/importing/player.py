"""An archive as one more client: its calls go the way of a live process's, through the same readers, run model and assembly.

`CallReader`, `StreamReader` and `Tracker` are those of the worker. No thread runs, no timer rings, nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace
from opentelemetry.context import Context

from ..apis import APIS
from ..apis.api import Api, Match
from ..config import Config
from ..core import sse
from ..core.cost import Pricer
from ..core.fields import Wire
from ..core.jsontext import dumps
from ..core.model import ApiError, Observation, Server
from ..core.redact import Texts
from ..runtime.call_reader import Reader
from ..runtime.call_spans import Agents, CallSpans
from ..runtime.emitter import Emitter
from ..runtime.fetcher import Fetcher
from ..runtime.handoffs import Handoffs
from ..runtime.live_run import Live
from ..runtime.records import Answered, Call, StreamChunk, StreamClosed, StreamRef
from ..runtime.registry import RunRegistry
from ..runtime.stream_reader import StreamReader
from ..runtime.tracker import Tracker
from .past_spans import ORIGIN, PastSpans, placeholder
from .stamps import Times

UNFINISHED = "archived"  # the archive ends before the run does


class _Reader(Reader):
    def meet(self, call: Call, seen: Observation) -> Live | None:
        """Runs that were begun elsewhere are not in this archive, and no process takes them over."""
        return None


class Player:
    """Takes calls in their order; what is over goes to `spans`. `provider`: as in `gen_ai.provider.name`."""

    def __init__(
        self, config: Config, texts: Texts, price: Pricer, spans: PastSpans, emitter: Emitter, provider: str
    ) -> None:
        self.server = Server("", None, None, provider)
        self._spans = spans
        registry, agents = RunRegistry(), Agents(5_000)
        self.tracker = tracker = Tracker(
            config, texts, agents, spans, Fetcher(lambda _: None), registry, price
        )
        calls = CallSpans(
            config.calls, texts, agents, spans, tracker.counts, tracker.dropped, registry.conversation_of
        )
        handoffs = Handoffs(tracker, emitter, calls, lambda _: None, APIS)
        self._reader = _Reader(tracker, calls, emitter, handoffs)
        self._streams = StreamReader(tracker, calls, texts, self._reader.meet)

    def call(
        self,
        api: Api,
        match: Match,
        times: Times,
        sent: Wire,
        query: Wire,
        received: Wire | ApiError,
        status: int = 200,
    ) -> None:
        """One call and its answer."""
        call = self._begun(api, match, times, sent, query)
        if isinstance(received, ApiError):
            call.error, call.is_not_found = received, status == 404
            call.live = placeholder("call", self._spans.seed) if match.route.starts_run else None
        else:
            call.result = received
            run = api.read_run(received, match.conversation_id) if match.route.starts_run else None
            if run is not None:
                call.live = self._live(api, run.conversation_id, run.id)
            elif match.route.starts_run:
                call.live = placeholder("call", self._spans.seed)
        self._answer(call, sent)
        self._reader.call(call)

    def stream(
        self, api: Api, match: Match, start: Times, sent: Wire, query: Wire, events: list[tuple[bytes, Times]]
    ) -> None:
        """A call whose answer is a stream: its events as they were sent, each with its times."""
        call = self._begun(api, match, start, sent, query)
        call.streams = True
        self._answer(call, sent)
        stream = StreamRef.of(call)
        if match.route.starts_run:
            known = run_of_stream(api, match, events)
            call.live = self._live(api, *known) if known else placeholder("call", self._spans.seed)
        else:
            self._reader.call(call)
        since_ns, at_ns = start
        for data, (since_ns, at_ns) in events:
            self._streams.chunk(StreamChunk(stream, at_ns, data, since_ns))
        self._streams.closed(StreamClosed(stream, at_ns, since_ns=since_ns))

    def live(self, place: str, run_id: str) -> Live | None:
        return self.tracker.get(self.server, place, run_id)

    def anchor(self, live: Live, created_at: int, alive_at_ns: int) -> None:
        """Of a run that is exported: where it does not say when it was created, it is placed from there; it was alive then."""
        state = live.state
        live.state = replace(
            state, created_at=state.created_at or created_at, origin=ORIGIN, last_alive_ns=alive_at_ns
        )

    def finish(self) -> None:
        """All runs go out, as far as they are known."""
        self.tracker.emit_all(UNFINISHED)

    # ------------------------------------------------------------ pieces

    def _begun(self, api: Api, match: Match, times: Times, sent: Wire, query: Wire) -> Call:
        request_ns, response_ns = times
        return Call(
            api,
            match,
            self.server,
            request_ns,
            response_ns,
            body=dumps(dict(sent)).encode() if sent else None,
            query=query,
            context=Context(),
        )

    def _live(self, api: Api, place: str, run_id: str) -> Any:
        live = placeholder(api.name, place, run_id)
        live.api = api
        return live

    def _answer(self, call: Call, sent: Wire) -> None:
        """It may bring outputs of tool calls that runs asked for which are over by now."""
        if call.match.route.starts_run or call.match.route.only_answers:
            answers = call.api.answers(sent.get)
            if answers.outputs:
                self._reader.answered(Answered(self.server, call.request_ns, answers))


def run_of_stream(api: Api, match: Match, events: list[tuple[bytes, Times]]) -> tuple[str, str] | None:
    """(conversation, run) that the first event of a run names."""
    for _, kind_name, data in told(api, events):
        known = Observation(
            request_ns=0, response_ns=0, event=kind_name, conversation_id=match.conversation_id
        )
        seen = api.events.read(data, known) if api.events else known
        if seen.runs:
            return seen.runs[0].conversation_id, seen.runs[0].id
    return None


def told(api: Api, events: list[tuple[bytes, Times]]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """(number, name, object) of the events that are no deltas."""
    for n, (raw, _) in enumerate(events):
        parser = sse.Parser()
        for name, text in (*parser.feed(raw), *parser.finish()):
            if api.events is not None:
                name, data = api.events.opened(name, text)
                if isinstance(data, dict) and not name.endswith(".delta"):
                    yield n, name, data
