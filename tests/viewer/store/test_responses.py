"""A Response is one model call that runspan followed as a run: it is listed, summed up and drawn as one."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.viewer import forest, tree
from runspan.viewer.spans import Span
from runspan.viewer.store import RunFilter, Store
from runspan.viewer.web.waterfall import waterfall

from ..hand_made import messages, operation, span
from .conftest import Put

LIFE = {"runspan.run.queue_s": 0.25, "runspan.run.detection_lag_s": 0.1, "runspan.run.polls": 3}


def response(number: int, status: str, **more: Any) -> Span:
    said = {
        "runspan.api": "responses",
        "runspan.run.id": f"resp_{number}",
        "runspan.run.status": status,
        "gen_ai.conversation.id": "resp_1",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.input.messages": messages(("user", "Why do rivers bend?")),
        "gen_ai.output.messages": messages(("assistant", "The bank wears away.")),
        **LIFE,
    }
    return span(
        number, 0, "chat gpt-4o", number, number + 1_000, trace=number, **operation("chat", said | more)
    )


def test_it_is_a_run_with_tokens_of_its_own(store: Store, put: Put) -> None:
    put(
        response(1, "completed"), span(2, 1, "execute_tool web_search", 300, 400, **operation("execute_tool"))
    )
    (run,) = store.runs(RunFilter())
    assert (run.sort, run.name, run.status, run.tokens, run.polls) == ("run", "gpt-4o", "completed", 12, 3)
    assert (run.question, run.answer) == ("Why do rivers bend?", "The bank wears away.")
    (trace,) = store.traces()
    assert (trace.runs, trace.tokens) == (1, 12)


def test_a_chain_of_them_is_a_thread(store: Store, put: Put) -> None:
    put(response(1, "completed"), response(2, "completed"))
    assert [group.runs for group in store.groups("thread", RunFilter())] == [2]


def test_its_bar_has_phases_and_tells_a_bad_end() -> None:
    (trace,) = forest.grow([response(1, "failed", **{"error.type": "server_error"})])
    (row,) = waterfall(trace).rows
    assert (row.kind, row.badge, row.tone) == ("llm", "failed", "bad")
    assert [piece.kind for piece in row.pieces] == ["queue", "active", "lag"]


@pytest.mark.parametrize("status", ["completed", "incomplete", "cancelled"])
def test_the_terminal_tells_its_life_and_its_messages(status: str) -> None:
    reasons = {"gen_ai.response.finish_reasons": ["length" if status == "incomplete" else "error"]}
    drawn = tree.to_text([response(1, status, **reasons)], width=100)
    assert f"{status} · queued 250 ms · noticed 100 ms later · 3 polls" in drawn
    assert "→ assistant  The bank wears away." in drawn
    assert f"1 run: 1 {status}" in drawn
    assert ("length" in drawn) == (status == "incomplete")
    assert "error" not in drawn


@pytest.mark.parametrize("why", ["deleted", "not_found"])
def test_what_can_be_done_about_an_end_that_nobody_saw_is_told(why: str) -> None:
    drawn = tree.to_text([response(1, "queued", **{"runspan.run.unfinished": why})], width=100)
    assert "! The " in drawn
