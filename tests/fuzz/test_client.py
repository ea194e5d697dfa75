"""Spoilt answers through the real client: the app gets what it gets without us, whatever that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runspan.runtime import worker
from tests.e2e.odd_objects import OBJECTS, all_calls, serve, told_of
from tests.fuzz.spoil import spoilt
from tests.support.odd_server import odd_server
from tests.support.playing import App, client_of, drive
from tests.support.tracing import traced


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with odd_server() as odd, client_of("OpenAI", odd) as client:  # type: ignore[arg-type]
        yield App("OpenAI", client, odd)  # type: ignore[arg-type]


async def calls_of(app: App) -> list[tuple[str, str]]:
    raw = await told_of(app, lambda: app.runs.with_raw_response.retrieve("run_1", conversation_id="thread_1"))
    return [*await all_calls(app), _bare(raw)]


def _bare(told: tuple[str, str]) -> tuple[str, str]:
    """Without the address that stands in the repr of a raw response."""
    kind, text = told
    return kind, "" if "RawResponse" in kind or "APIResponse" in kind else text


@given(spoilt(OBJECTS, most=6), st.booleans())
def test_the_app_cannot_tell(
    app: App, monkeypatch_module: pytest.MonkeyPatch, objects: dict[str, Any], captures: bool
) -> None:
    if not isinstance(objects, dict) or set(objects) != set(OBJECTS):
        return
    serve(app.server, objects)  # type: ignore[arg-type]
    bare = drive(calls_of(app), is_async=False)
    serve(app.server, objects)  # type: ignore[arg-type]
    with traced(capture_content=captures) as trace:
        assert drive(calls_of(app), is_async=False) == bare
    for span in trace.exporter.get_finished_spans():
        span.to_json().encode()


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """The worker reads at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "TICK_S", 0.0)
        yield patch
