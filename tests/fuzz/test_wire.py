"""Spoilt real responses: whatever a server sends, it is read without an error, and what is read can be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.recordings.folder import why_absent

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from runspan.apis.api import Exchange
from runspan.apis.assistants import API, objects
from runspan.apis.assistants.events import texts_of
from runspan.apis.assistants.routes import match
from runspan.core import sse
from runspan.core.model import Observation
from tests.fuzz.seeds import Told, tales
from tests.fuzz.spoil import spoilt
from tests.support.stream_events import read as read_event

told = st.sampled_from([told for tale in tales() for told in tale if told.event != ""])


def read(of: Told, answer: object, body: object, query: object) -> Observation:
    found = match(of.method, of.path)
    assert found is not None
    parts = [part if isinstance(part, dict) else {} for part in (body, query, answer)]
    if of.event:
        return read_event(API, of.event, parts[2], 7)
    return found.route.read(Exchange(found, 3, 7, *parts))


@given(told, st.data())
def test_a_spoilt_response_is_read_as_far_as_it_goes(of: Told, data: st.DataObject) -> None:
    answer, body, query = (data.draw(spoilt(part)) for part in (of.answer, of.body, of.query))
    seen = read(of, answer, body, query)
    assert all(isinstance(run.id, str) and run.id and run.conversation_id for run in seen.runs)
    assert all(isinstance(step.id, str) for step in seen.steps)
    for run in seen.runs:
        for stamp in (run.created_at, run.started_at, run.ended_at, run.expires_at):
            assert stamp is None or (isinstance(stamp, int) and not isinstance(stamp, bool))
        assert run.usage is None or run.usage.prompt_tokens >= 0
    if isinstance(body, dict):
        objects.run_request(body, stream=True)


@given(told, st.data())
def test_a_spoilt_delta_gives_texts_or_nothing(of: Told, data: st.DataObject) -> None:
    assert all(isinstance(text, str) for _, text in texts_of(data.draw(spoilt(of.answer))))


@given(st.text(max_size=60), st.sampled_from(["get", "POST", "delete", "put", ""]))
def test_any_url_is_a_call_of_ours_or_none(url: str, method: str) -> None:
    found = match(method, url)
    assert found is None or found.route.operation


@given(
    st.lists(st.sampled_from([t for t in tales() for t in t if t.event]), max_size=6),
    st.lists(st.integers(1, 90), max_size=40),
    st.sampled_from(["\n", "\r\n"]),
    st.binary(max_size=30),
)
def test_events_are_the_same_however_their_bytes_are_cut(
    of: list[Told], cuts: list[int], line: str, tail: bytes
) -> None:
    import json

    texts = [json.dumps(t.answer, ensure_ascii=False) for t in of]
    whole = "".join(
        f"event: {t.event}{line}data: {text}{line}{line}" for t, text in zip(of, texts, strict=True)
    )
    parser, found, rest = sse.Parser(), [], whole.encode("utf-8", "replace") + tail
    for size in [*cuts, len(rest)]:
        found += parser.feed(rest[:size])
        rest = rest[size:]
    expected = [(t.event, text) for t, text in zip(of, texts, strict=True)]
    assert found[: len(expected)] == [(n, t.encode("utf-8", "replace").decode()) for n, t in expected]
