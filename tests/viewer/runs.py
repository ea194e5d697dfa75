"""Runs made by hand: a run span with its model call and tool, below the app's own function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runspan.viewer.spans import Event, Span

from .hand_made import messages, observed, operation, run, span


def a_run(
    trace: int,
    question: str = "How is the weather?",
    answer: str = "Sunny.",
    *,
    at_ms: float = 0,
    tokens: tuple[int, int] = (120, 18),
    earlier: tuple[tuple[str, str], ...] = (),
    more: dict[str, Any] | None = None,
    **facts: Any,
) -> tuple[Span, ...]:
    """Root, run, model call, tool: spans 1 to 4 of the trace, from `at_ms` on. `more`: attributes of the run."""
    facts = {
        "status": "completed",
        "queue_s": 0.25,
        "active_s": 1.0,
        "tool_wait_s": 0.5,
        "detection_lag_s": 0.1,
    } | facts
    of_run = run(polls=4, **facts)
    of_run["attributes"] |= {
        "runspan.run.id": f"run_{trace}",
        "gen_ai.conversation.id": "thread_1",
        "gen_ai.agent.name": "Weather",
        "session.id": "thread_1",
        "input.value": question,
        "output.value": answer,
        **(more or {}),
    }
    changes = (
        (0, "queued"),
        (250, "in_progress"),
        (500, "requires_action"),
        (1000, "in_progress"),
        (1750, "completed"),
    )
    seen = tuple(
        Event(
            f"thread.run.{state}", span(1, 0, "", at_ms + 100 + ms, 0).start_ns, {"runspan.run.status": state}
        )
        for ms, state in changes
    )
    call = {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.output_tokens": tokens[1],
        "gen_ai.usage.cost": 0.0125,
        "gen_ai.system_instructions": '[{"type": "text", "content": "Be short."}]',
        "gen_ai.input.messages": messages(*earlier, ("user", question)),
        "gen_ai.output.messages": messages(("assistant", answer)),
    }
    tool = {
        "gen_ai.tool.name": "get_weather",
        "gen_ai.tool.call.arguments": '{"city": "Paris"}',
        "gen_ai.tool.call.result": '{"celsius": 18}',
    }
    return (
        span(1, 0, "answer", at_ms, at_ms + 2000, trace, **observed(input_value=question)),
        replace(span(2, 1, "invoke_agent Weather", at_ms + 100, at_ms + 1850, trace, **of_run), events=seen),
        span(3, 2, "chat gpt-4o", at_ms + 350, at_ms + 1850, trace, **operation("chat", call)),
        span(
            4,
            2,
            "execute_tool get_weather",
            at_ms + 700,
            at_ms + 900,
            trace,
            **operation("execute_tool", tool),
        ),
    )
