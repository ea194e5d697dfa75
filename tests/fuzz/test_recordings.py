"""Spoilt recordings through the real client, in every way an app may use it: it gets what it gets without us; no run is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.recordings.folder import recordings, why_absent

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from runspan.runtime import worker
from tests.e2e.recordings.cases import exchanges_of
from tests.e2e.recordings.exchange import Exchange
from tests.e2e.recordings.modes import MODES
from tests.e2e.recordings.player import play
from tests.e2e.recordings.record import difference
from tests.e2e.recordings.traced import AT_ONCE, traced
from tests.e2e.recordings.traces import seen
from tests.fuzz.spoil import disordered, spoilt

MAX_EXCHANGES = 40  # of a recording, so that a play stays short


@pytest.fixture(scope="module", autouse=True)
def _reads_at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "TICK_S", 0.0)
        yield


@st.composite
def spoilt_exchange(draw: st.DrawFn, of: Exchange) -> Exchange:
    if not of.is_stream:
        return replace(of, body=_sendable(draw(spoilt(of.body))))
    events = draw(disordered([(name, draw(spoilt(data, most=2))) for name, data in of.events()]))
    lines = [f"event: {name}\ndata: {_text(data)}\n\n" for name, data in events]
    return replace(of, body="".join((*lines, "event: done\ndata: [DONE]\n\n")))


def _text(value: Any) -> str:
    """Lone surrogates have no bytes that a server could send."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _sendable(value: Any) -> Any:
    return json.loads(_text(value))


# A play is slow: fewer than of the others, and no smaller example is looked for.
@settings(max_examples=max(4, settings.default.max_examples // 20), phases=[Phase.explicit, Phase.generate])
@given(st.data(), st.sampled_from(recordings()), st.sampled_from(MODES))
def test_the_app_cannot_tell(data: st.DataObject, recording: Any, mode: Any) -> None:
    whole = exchanges_of(recording)[:MAX_EXCHANGES]
    which = data.draw(st.sets(st.integers(0, len(whole) - 1), min_size=1, max_size=3))
    exchanges = [data.draw(spoilt_exchange(one)) if n in which else one for n, one in enumerate(whole)]
    alone = play(exchanges, mode)
    result = traced(lambda: play(exchanges, mode), AT_ONCE)
    assert difference(alone, result.record) == ""
    assert (result.live, dict(result.dropped), result.complaints) == (0, {}, [])
    assert len(seen(result.spans).runs) <= sum(one.starts_run for one in exchanges)
