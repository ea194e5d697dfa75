"""`make compare-tracers`: how it reads spans and judges them, and its program under runspan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    import compare_tracers

    return compare_tracers


def span(seconds: float = 1.0, *, error: bool = False, **attributes: Any) -> dict[str, Any]:
    return {"seconds": seconds, "error": error, "attributes": attributes, "events": []}


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.usage.input_tokens": 100},
        {"llm.token_count.prompt": 100},
        {"langfuse.observation.usage_details": '{"input": 100}'},
        {"langfuse.observation.usage_details": '{"input_tokens": 100}'},
    ],
)
def test_usage_is_found_under_each_conventions_name(tool: Any, attributes: dict[str, Any]) -> None:
    assert tool.facts([span(**attributes), span(other=1)]).tokens == 100


JUDGED = [
    ("polled", [span(text="It is forty-two.", **{"gen_ai.usage.input_tokens": 100})], True),
    ("polled", [span(0.1, text="It is forty-two.", **{"gen_ai.usage.input_tokens": 100})], False),
    ("polled", [span(text="It is forty-two.")], False),
    ("polled", [span(text="It is forty-two.", **{"gen_ai.usage.input_tokens": 100}), span(0.1)], False),
    ("streamed", [span(**{"gen_ai.usage.input_tokens": 100})], False),
    ("failed", [span(error=True)], True),
    ("failed", [span()], False),
    ("failed", [], False),
    ("second reader", [], True),
    ("second reader", [span(0.1)], True),
    ("second reader", [span(0.1, **{"gen_ai.usage.input_tokens": 100})], False),
]


@pytest.mark.parametrize(("column", "spans", "is_right"), JUDGED)
def test_one_rule_judges_all(tool: Any, column: str, spans: list[Any], is_right: bool) -> None:
    assert tool.facts(spans).is_right(column) is is_right


def test_a_tracer_that_cannot_be_installed_is_named(tool: Any) -> None:
    shown = tool.table({"logfire": "SKIPPED: pip ended with 1"}, {})
    assert "| logfire | SKIPPED: pip ended with 1 |" in shown


@pytest.mark.wide  # each is a process of its own
@pytest.mark.parametrize("column", ["polled", "streamed", "cut, then resumed", "failed", "second reader"])
def test_the_program_leaves_one_span_under_runspan(tool: Any, column: str) -> None:
    pytest.importorskip("openai.types.conversations", reason="this openai has no background responses")
    facts = tool._run(sys.executable, "runspan", column)
    has_usage = column not in ("failed", "second reader")
    assert (facts.spans, facts.tokens, facts.errors) == (
        int(column != "second reader"),
        100 * has_usage,
        int(column == "failed"),
    )
