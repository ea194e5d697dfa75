"""Traces made by hand, one per thing that a drawing must show. Times are milliseconds after 10:00 UTC."""

from __future__ import annotations

import json
from typing import Any

from runspan.viewer.spans import Event, Span

TEN_O_CLOCK_NS = 1_767_607_200_000_000_000
SOLVE = "Solve 3x + 11 = 14"


def span(
    number: int, parent: int, name: str, start_ms: float, end_ms: float, trace: int = 1, **fields: Any
) -> Span:
    """A span with small numbers for ids; parent 0 makes a root. Other keywords are fields of `Span`."""
    return Span(
        **{
            "trace_id": f"{trace:032x}",
            "span_id": f"{number:016x}",
            "parent_id": f"{parent:016x}" if parent else None,
            "name": name,
            "start_ns": TEN_O_CLOCK_NS + int(start_ms * 1e6),
            "end_ns": TEN_O_CLOCK_NS + int(end_ms * 1e6),
            "resource": {"service.name": "math-tutor"},
        }
        | fields
    )


def observed(**attributes: Any) -> dict[str, Any]:
    return {
        "attributes": {"openinference.span.kind": "CHAIN"}
        | {k.replace("_", "."): v for k, v in attributes.items()}
    }


def operation(name: str, attributes: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"kind": "CLIENT", "attributes": {"gen_ai.operation.name": name} | (attributes or {})}


def run(**facts: Any) -> dict[str, Any]:
    ids = {"runspan.run.id": "run_abc123", "gen_ai.conversation.id": "thread_xyz"}
    return operation("invoke_agent", ids | {f"runspan.run.{key}": value for key, value in facts.items()})


def messages(*given: tuple[str, Any]) -> str:
    return json.dumps(
        [
            {"role": role, "parts": said if isinstance(said, list) else [{"type": "text", "content": said}]}
            for role, said in given
        ],
        ensure_ascii=False,
    )


ERROR: dict[str, Any] = {"status_code": "ERROR"}

MATH_TUTOR = (
    # In the order in which spans end, as they arrive.
    span(3, 2, "create_agent Math Tutor", 5, 118, **operation("create_agent")),
    span(2, 1, "create_assistant", 2, 120, **observed()),
    span(5, 4, "create_thread", 126, 180, **operation("create_thread")),
    span(4, 1, "run_assistant", 125, 5_200, **observed()),
    span(
        8,
        6,
        "execute_tool code_interpreter",
        1_500,
        2_100,
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": "print((14 - 11) / 3)",
            "gen_ai.tool.call.result": "1.0",
        },
    ),
    span(
        9,
        6,
        "execute_tool get_weather",
        2_200,
        3_200,
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": '{"city":"Paris","unit":"celsius","when":"tomorrow"}',
            "gen_ai.tool.call.result": '{"temperature":18,"sky":"clear","wind":"light"}',
        },
    ),
    span(
        7,
        6,
        "chat gpt-4o",
        1_000,
        5_900,
        **operation(
            "chat",
            {
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.response.model": "gpt-4o-2024-08-06",
                "gen_ai.usage.input_tokens": 1_120,
                "gen_ai.usage.output_tokens": 18,
                "gen_ai.usage.cache_read.input_tokens": 20,
                "gen_ai.usage.reasoning.output_tokens": 5,
                "gen_ai.usage.cost": 0.00123,
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.response.time_to_first_chunk": 1.25,
                "gen_ai.system_instructions": json.dumps(
                    [
                        {
                            "type": "text",
                            "content": "You are a personal math tutor.\nWrite and run code to answer.",
                        }
                    ]
                ),
                "gen_ai.input.messages": messages(("user", SOLVE + "\n  and be quick")),
                "gen_ai.output.messages": messages(("assistant", "x = 1")),
            },
        ),
    ),
    span(
        6,
        4,
        "invoke_agent Math Tutor",
        200,
        5_900,
        **run(status="completed", queue_s=0.8, active_s=3.9, tool_wait_s=1, detection_lag_s=0.25, polls=7),
    ),
    span(10, 1, "get_response", 5_210, 6_100, **observed()),
    span(1, 0, "run_math_tutor", 0, 6_200, **observed(input_value=SOLVE, output_value="x = 1")),
)

ENDINGS = (
    span(
        1, 0, "invoke_agent Bot", 0, 900, **run(status="failed", polls=1), **ERROR, status_message="no quota"
    ),
    span(
        2,
        1,
        "chat gpt-4o",
        100,
        900,
        **operation(
            "chat",
            {
                "gen_ai.request.model": "gpt-4o",
                "error.type": "rate_limit_exceeded",
                "gen_ai.input.messages": messages(*[("user", f"question {n}") for n in range(9)]),
            },
        ),
        **ERROR,
        status_message="You exceeded your current quota.",
    ),
    span(3, 0, "invoke_agent Bot", 2_000, 4_500, 2, **run(status="in_progress", unfinished="stream_closed")),
    span(
        4,
        3,
        "chat gpt-4o",
        2_500,
        4_500,
        2,
        **operation(
            "chat", {"gen_ai.response.model": "gpt-4o", "gen_ai.response.finish_reasons": ["length"]}
        ),
    ),
    span(
        5,
        0,
        "invoke_agent Bot",
        1_000,
        1_020,
        3,
        kind="CLIENT",
        attributes={"gen_ai.operation.name": "invoke_agent", "input.value": SOLVE, "error.type": "500"},
        events=(
            Event(
                "exception", 0, {"exception.type": "openai.InternalServerError", "exception.message": "down"}
            ),
        ),
        **ERROR,
    ),
    span(6, 0, "invoke_agent Bot", 6_000, 6_100, 4, **run(status="cancelled", polls=0)),
)

MISFITS = (
    span(2, 1, "outlives its parent", 100, 2_000),
    span(1, 0, "parent", 0, 500),
    span(3, 1, "before its parent", -200, 100),
    span(4, 1, "ends first", 400, 300),
    span(5, 1, "never ended", 450, 0, end_ns=0),
    span(6, 1, "no times at all", 0, 0, start_ns=0, end_ns=0),
    span(7, 77, "lost child", 600, 700),
    span(8, 7, "its child", 610, 620),
    span(9, 77, "another lost child", 650, 700),
    span(10, 11, "hen", 800, 900),
    span(11, 10, "egg", 810, 890),
    span(12, 12, "its own parent", 850, 860),
    span(13, 1, "sent twice", 460, 470),
    span(13, 1, "sent twice", 460, 470),
    span(14, 1, "", 480, 490),
)

WIDE_TEXT = {
    "CJK": "数学の家庭教師に質問する",
    "emoji": "👩‍👩‍👧 👍🏽 ❤️ family",
    "combining": "cafe\u0301 n\u0303",
    "right to left": "שלום עולם 12",
}
SCRIPTS = tuple(
    span(n, 0, f"{name} {text}", n * 100, n * 100 + 50, **observed(input_value=text, output_value=text * 9))
    for n, (name, text) in enumerate(WIDE_TEXT.items(), 1)
)

HOSTILE_TEXT = (
    "a\x1b[31mred\x1b]0;title\x07 \x9b2J b\r\nover\u202ewritten\u2066x \u2028y\u200bz\x00\x7f "
    "\ud800 Z" + "\u0301" * 50 + " [bold]markup[/] :smile: \ufeff"
)
HOSTILE_PARTS = [
    {"type": HOSTILE_TEXT},
    {"type": "tool_call", "name": HOSTILE_TEXT, "arguments": HOSTILE_TEXT},
]
HOSTILE = (
    span(
        1,
        0,
        HOSTILE_TEXT,
        0,
        100,
        **run(status="\x1b[2J", unfinished="\x1b[H", polls=1),
        **ERROR,
        status_message=HOSTILE_TEXT,
        resource={"service.name": HOSTILE_TEXT},
    ),
    span(
        2,
        1,
        "chat",
        0,
        100,
        **operation(
            "chat",
            {
                "gen_ai.request.model": HOSTILE_TEXT,
                "gen_ai.response.finish_reasons": [HOSTILE_TEXT],
                "gen_ai.input.messages": messages((HOSTILE_TEXT, HOSTILE_TEXT)).replace("\ud800", "\\ud800"),
                "gen_ai.output.messages": messages(("assistant", HOSTILE_PARTS)),
                "error.type": HOSTILE_TEXT,
            },
        ),
    ),
    span(
        3,
        1,
        "tool",
        0,
        100,
        **operation(
            "execute_tool",
            {
                "gen_ai.tool.call.arguments": HOSTILE_TEXT,
                "gen_ai.tool.call.result": HOSTILE_TEXT,
            },
        ),
    ),
)

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "[",
    "{}",
    "[1,null,[]]",
    b"\xff",
    [],
    [None, 1],
    {},
    {"a": {}},
    '[{"role":5,"parts":{"x":1}},{"parts":[5,{"type":7},{}]},{"content":[]}]',
    "x" * 100_000,
    "[" * 100_000,
)
