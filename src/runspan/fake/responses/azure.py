"""What Microsoft Foundry does otherwise (recorded at /api/projects/*/openai)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runspan.fake.store import Object

FOUNDRY = re.compile(r"^/api/projects/[^/]+/")
ABSENT = (  # where unset
    "completed_at",
    "frequency_penalty",
    "max_output_tokens",
    "max_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
)
AGENT = ("agent", "agent_reference")


def mark(item: Object, response: Object) -> None:
    """Items name their response and its agent."""
    item["response_id"] = response["id"]
    if agent := agent_of(response):
        item["agent_reference"] = {"type": "agent_reference", "version": "1", **agent}


def agent_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The agent that a request or a response names."""
    return next((body[name] for name in AGENT if body.get(name)), None)


def view(body: Object, request: Mapping[str, Any]) -> Object:
    """No usage while queued, zeros in progress, an alias beside null details; the model is dated later."""
    shown = {name: value for name, value in body.items() if value or name not in ABSENT}
    shown.setdefault("conversation", None)
    if body["status"] == "queued":
        shown["model"] = request.get("model") or body["model"]
        del shown["usage"]
        return shown
    usage = body["usage"] or {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    details: Object = {}
    for side, alias in (("input", "cached_tokens"), ("output", "reasoning_tokens")):
        known = usage.get(f"{side}_tokens_details") or {alias: 0}
        details[f"{side}_tokens_details"] = None
        details[f"{side}_token_details"] = {alias: known[alias]}
    if body["status"] != "cancelled":
        shown["usage"] = {**usage, **details}
    return shown
