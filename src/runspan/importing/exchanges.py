"""Recorded traffic -> calls: one exchange at a time, in the order in which it was recorded, with times out of server stamps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..apis.api import Api, Apis, Match
from ..apis.archives import Archive, rows, stamps_of
from ..apis.objects import error as error_of
from ..core import sse
from ..core.fields import Wire, ident, mapping
from ..core.model import ApiError
from .player import Player, told
from .recognise import ARCHIVES
from .stamps import StampClock, Times

_APIS = Apis(*(archive.api for archive in ARCHIVES.values()))
NO_TIMES: Times = (0, 0)
ANY_HOST = "http://recorded"  # of whole URLs, an API's path may stand behind any prefix


class Traffic:
    """Hands the exchanges of all recordings, one after the other, to the player. `used` counts those that tell of runs."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._clock = StampClock()

    def play(self, exchange: Wire) -> bool:
        """False: the exchange says nothing of runs."""
        request, response = mapping(exchange, "request"), mapping(exchange, "response")
        sent = mapping(request, "body")
        found = _APIS.of_call(str(request.get("method")), f"{ANY_HOST}{request.get('path')}", sent.get)
        if found is None or found[1].route.is_apart:
            return False
        api, match = found
        body, status = response.get("body"), response.get("status")
        query = mapping(request, "query")
        has_failed = is_failed(exchange)
        if isinstance(body, str) and not has_failed:
            self._stream(api, match, sent, query, body)
            return True
        received: Wire = body if isinstance(body, dict) else {}
        place = _place(api, match, received)
        times = self._times(
            ARCHIVES[api.name], match, place, [received, *rows(received)], is_failed=has_failed
        )
        answer = _failure(received, status) if has_failed else received
        self._player.call(api, match, times, sent, query, answer, status if isinstance(status, int) else 0)
        return True

    def _stream(self, api: Api, match: Match, sent: Wire, query: Wire, body: str) -> None:
        archive = ARCHIVES[api.name]
        raw = [(event, NO_TIMES) for event in _events(body)]
        by_event = {n: data for n, _, data in told(api, raw)}
        place = next(filter(None, (_place(api, match, data) for data in by_event.values())), "")
        start, events = None, list[tuple[bytes, Times]]()
        times = NO_TIMES
        for n, (event, _) in enumerate(raw):
            if n in by_event or start is None:
                data = by_event.get(n, {})
                is_start = start is None and match.route.starts_run
                times = self._times(archive, match if is_start else None, place, [data])
            start = start or times
            events.append((event, times))
        self._player.stream(api, match, start or NO_TIMES, sent, query, events)

    def _times(
        self,
        archive: Archive,
        match: Match | None,
        place: str,
        objects: Sequence[Wire],
        *,
        is_failed: bool = False,
    ) -> Times:
        stamps = [at for one in objects for at in stamps_of(one, archive.stamps)]
        route = match.route if match is not None else None
        if route is not None and route.starts_run and stamps and not is_failed:
            return self._clock.of_start(place, stamps)
        is_later = route is not None and route.is_list and not route.lists_runs
        return self._clock.of_call(place, stamps, is_later=is_later) or NO_TIMES


def seed_of(exchange: Wire) -> str:
    """Names a call that gave no run: by all that it says."""
    return hashlib.sha256(json.dumps(exchange, sort_keys=True, default=str).encode()).hexdigest()


def is_failed(exchange: Wire) -> bool:
    status = mapping(exchange, "response").get("status")
    return isinstance(status, int) and status >= 400


def _place(api: Api, match: Match, received: Wire) -> str:
    """The conversation that it tells of, as the run model keys it."""
    if match.run_id is not None and api.runs_apart:
        return match.run_id
    found = match.conversation_id or ident(received, api.conversation_field or "")
    return found or (ident(received) if match.route.operation == "create_thread" else "")


def _failure(body: Wire, status: Any) -> ApiError:
    found = error_of(mapping(body, "error") or body)
    return found or ApiError(f"HTTP {status}")


def _events(body: str) -> Iterator[bytes]:
    """Each event as bytes of its own; a body that is no stream is one."""
    parser = sse.Parser()
    for name, text in (*parser.feed(body.encode("utf-8", "replace")), *parser.finish()):
        lines = "".join(f"data: {line}\n" for line in text.split("\n"))
        yield (f"event: {name}\n" if name else "").encode() + lines.encode() + b"\n"


def objects_of(exchange: Mapping[str, Any]) -> Any:
    """What its answer holds, for runs whose beginning was not recorded."""
    status, body = mapping(exchange, "response").get("status"), mapping(exchange, "response").get("body")
    return body if isinstance(body, dict) and isinstance(status, int) and status < 400 else None
