"""What a tap does on the app's thread."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.clients import result_copy, taps
from runspan.clients.errors import read_error
from runspan.clients.taps import BodyTap
from runspan.core.model import Server
from runspan.runtime.records import Call, StreamRef
from tests.support.playing import App, playing
from tests.support.tracing import traced


def test_a_body_is_not_parsed_on_the_apps_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a list of megabytes: it is handed over as it came."""

    def parsed(*_: Any, **__: Any) -> Any:
        raise AssertionError("parsed")

    monkeypatch.setattr(json, "loads", parsed)
    monkeypatch.setattr("runspan.core.jsontext._decode", parsed)
    got: list[bytes | None] = []
    tap = BodyTap(got.append)
    tap.see(b'{"data": [')
    tap.see(b"1]}")
    tap.close()
    tap.close()
    assert got == [b'{"data": [1]}']


def test_of_a_run_in_json_few_fields_are_read_on_the_apps_thread() -> None:
    body = json.dumps(
        {"id": "run_1", "instructions": "x" * 100, "thread_id": "thread_1", "tools": [1]}
    ).encode()
    found = {name: value for name, value in result_copy.run_in(body, API).items() if value is not None}
    assert found == {"id": "run_1", "thread_id": "thread_1"}
    assert [dict(result_copy.run_in(odd, API)) for odd in (b"", b"[]", b"\xff", b"[" * 10_000)] == [{}] * 4


def test_a_body_without_end_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "MAX_BYTES", 100)
    got: list[bytes | None] = []
    tap = BodyTap(got.append)
    for _ in range(20):
        tap.see(b"x" * 10)
        assert sum(map(len, tap._chunks or ())) <= 100
    tap.close()
    assert got == [None]


def test_a_long_error_of_the_client_is_cut_before_it_is_handed_over() -> None:
    class ApiError(Exception):
        message = "m" * 5_000_000
        code = "c" * 5_000
        body: Any = None

    error = read_error(ApiError())
    assert (len(error.code), len(error.message or "")) == (256, 65_536)
    ApiError.body = {"message": "b" * 5_000_000}
    assert len(read_error(ApiError()).message or "") == 65_536


def test_a_span_is_given_out_once() -> None:
    matched = match("post", "/threads/runs")
    assert matched is not None
    call = Call(API, matched, Server("http://x", "x", 80, "openai"), 1)
    span: Any = object()
    call.live = span
    assert [call.take_span(), call.take_span()] == [span, None]
    assert StreamRef.of(call).call.live is None


@pytest.mark.expects_swallowed
@pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI"])
def test_a_client_whose_streams_we_do_not_know_is_read_in_bytes(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise AttributeError("_iterator")

    monkeypatch.setattr("runspan.clients.openai.results.tap_events", unknown)

    async def case(app: App) -> None:
        await app.ask()
        await app.each(await app.got(app.runs.create(**app.asked, stream=True)))

    with playing(kind) as app, traced() as seen:
        app.play(case)
        assert (seen.run().attributes or {}).get("runspan.run.status") == "completed"
        assert (seen.generation().attributes or {}).get("gen_ai.usage.input_tokens") == 1_000
        assert seen.handle.stats().started == 1
