"""Everything the client offers around runs, with and without runspan: the app sees the same, and so does the server."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import behaviours
import pytest
from behaviours import ASYNC_BEHAVIOURS, BEHAVIOURS, Behaviour
from tests.support.playing import BOTH, playing
from tests.support.tracing import traced

RANDOM = ("idempotency-key", "host")  # a uuid, the port
AT_ONCE = (behaviours.calls_side_by_side,)  # which of them the server gets first is chance


def noticed(kind: str, play: Behaviour, *, is_traced: bool) -> dict[str, Any]:
    """By the app, and by the server."""
    on = traced(calls="all") if is_traced else nullcontext()
    with on as trace, playing(kind, seed=7) as app:
        seen = app.play(play)
        requests = [
            (r.method, r.path, r.query, _steady(r.headers), r.json, r.status) for r in app.server.requests
        ]
        if play in AT_ONCE:
            requests.sort(key=lambda request: request[:2])
        if trace is not None:
            assert trace.spans(), "it was traced"
    return {"app": seen, "server": requests}


def _steady(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in RANDOM}


AZURE = ("AzureOpenAI", "AsyncAzureOpenAI")
ON_AZURE = (  # which writes its own URLs
    behaviours.a_raw_response,
    behaviours.pages_read_to_their_end,
    behaviours.copies_of_the_client,
    behaviours.retries_that_help,
    behaviours.a_stream_and_all_its_ends,
)
CASES = [
    *((kind, play) for play in BEHAVIOURS for kind in BOTH),
    *(("AsyncOpenAI", play) for play in ASYNC_BEHAVIOURS),
    *((kind, play) for play in ON_AZURE for kind in AZURE),
]


@pytest.mark.parametrize(("kind", "play"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_nothing_differs_but_the_spans(kind: str, play: Behaviour) -> None:
    bare = noticed(kind, play, is_traced=False)
    both = noticed(kind, play, is_traced=True)
    assert both["app"] == bare["app"]
    assert both["server"] == bare["server"]
