"""The traces that the openai client gives, in tests/traces, are those of azure-ai-agents: but for the provider's name."""

from __future__ import annotations

import difflib
import json
from typing import Any

import pytest

from tests.azure.agents_app import KINDS, playing_agents
from tests.e2e.golden_cases import CASES, POLLED, Case, play
from tests.support import golden
from tests.support.tracing import traced

PRICES = {model: {"input": 2.0, "cached": 1.0, "output": 8.0} for model in ("gpt-4o-mini", "gpt-4.1")}
LEFT_OUT = {
    "v1",  # the client speaks the second version alone
    "cut_in_code",  # how a broken stream is called is each client's own
}
PLAYS = [(name, way) for name, case in CASES.items() if name not in LEFT_OUT for way in case.ways]
PROVIDERS = ('"gen_ai.provider.name": "azure.ai.openai"', '"gen_ai.provider.name": "openai"')


def trace_of(case: Case, way: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    is_timed = way == POLLED
    with playing_agents(kind, case.scenario) as app:

        def played() -> dict[str, Any]:
            with traced(prices=PRICES) as trace:
                app.play(lambda one: play(one, case, way))
                trace.handle.uninstrument()
                return golden.tree(trace.spans(), trace.run(), is_timed=is_timed)

        if not is_timed:
            with golden.app_keeps_up(monkeypatch):
                return played()
        with golden.one_clock(monkeypatch, app.server.clock):
            return played()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "way"), PLAYS, ids=lambda value: value)
def test_the_trace_is_that_of_the_openai_client(
    name: str, way: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.dumps(trace_of(CASES[name], way, kind, monkeypatch), ensure_ascii=False)
    assert PROVIDERS[0] in found
    found = found.replace(*PROVIDERS)
    kept = (golden.TRACES / f"{name}.{way}.json").read_text("utf-8")
    if json.loads(found) != json.loads(kept):
        ours, theirs = (json.dumps(json.loads(text), indent=1, sort_keys=True) for text in (kept, found))
        lines = difflib.unified_diff(
            ours.splitlines(), theirs.splitlines(), "openai", "azure", lineterm="", n=1
        )
        pytest.fail("\n".join(lines), pytrace=False)
