"""Spoilt answers through the real client: the app gets what it gets without us, whatever that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runspan.runtime import worker
from tests.e2e.odd_objects import OBJECTS, serve, told_of
from tests.fuzz.spoil import spoilt
from tests.support.odd_server import odd_server
from tests.support.playing import App, client_of, drive
from tests.support.tracing import traced


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with odd_server() as odd, client_of("OpenAI", odd) as client:  # type: ignore[arg-type]
        yield App("OpenAI", client, odd)  # type: ignore[arg-type]


async def all_calls(app: App) -> list[tuple[str, str]]:
    runs, messages, ids = app.runs, app.threads.messages, {"thread_id": "thread_1"}
    outputs: Any = [{"tool_call_id": "call_1", "output": "ok"}]
    calls = [
        lambda: messages.create("thread_1", role="user", content="Hi?"),
        lambda: runs.create(**ids, assistant_id="asst_1"),
        lambda: runs.retrieve("run_1", **ids),
        lambda: runs.submit_tool_outputs("run_1", **ids, tool_outputs=outputs),
        lambda: runs.retrieve("run_1", **ids),
        lambda: runs.with_raw_response.retrieve("run_1", **ids),
        lambda: runs.steps.list("run_1", **ids),
        lambda: messages.list("thread_1"),
        lambda: runs.create(**ids, assistant_id="asst_1", stream=True),
    ]
    return [_bare(await told_of(app, call)) for call in calls]


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
    bare = drive(all_calls(app), is_async=False)
    serve(app.server, objects)  # type: ignore[arg-type]
    with traced(capture_content=captures) as trace:
        assert drive(all_calls(app), is_async=False) == bare
    for span in trace.exporter.get_finished_spans():
        span.to_json().encode()


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """The worker reads at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "TICK_S", 0.0)
        yield patch
