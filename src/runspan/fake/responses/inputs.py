"""What a request's input must bring: an output for every call, a call for every output."""

from __future__ import annotations

from runspan.fake.faults import refused
from runspan.fake.store import Object

MUST_BE_ANSWERED = frozenset({"function_call", "custom_tool_call", "computer_call"})


def check_calls(history: list[Object], given: list[Object]) -> None:
    """Worded as the API words it."""
    items = [*history, *given]
    calls = {item["call_id"] for item in items if item.get("call_id") and item["type"].endswith("_call")}
    outputs = {item["call_id"] for item in items if item["type"].endswith("_output") and "call_id" in item}
    for item in given:
        if item["type"].endswith("_output") and item.get("call_id") not in calls:
            kind = item["type"].removesuffix("_output").replace("_", " ")
            raise refused(
                f"No tool call found for {kind} output with call_id {item.get('call_id')}.", param="input"
            )
    for item in items:
        if item["type"] in MUST_BE_ANSWERED and item["call_id"] not in outputs:
            kind = item["type"].replace("_", " ")
            raise refused(f"No tool output found for {kind} {item['call_id']}.", param="input")
