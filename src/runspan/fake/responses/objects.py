"""The objects of the Responses API as they are on the wire (recorded in 2025 and 2026), and their views."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from runspan.fake.faults import refused
from runspan.fake.objects import metadata
from runspan.fake.responses.scenarios import Usage
from runspan.fake.store import Object, State

# An alias is answered with the model behind it.
DATED = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "o3": "o3-2025-04-16",
    "o4-mini": "o4-mini-2025-04-16",
}
DEFAULTS: Object = {
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "service_tier": "auto",
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
# (type of the item, its field) -> what include[] must name, what stands there without; None: nothing does
HIDDEN: dict[tuple[str, str], tuple[str, Any]] = {
    ("file_search_call", "results"): ("file_search_call.results", {"results": None}),
    ("code_interpreter_call", "outputs"): ("code_interpreter_call.outputs", {"outputs": None}),
    ("reasoning", "encrypted_content"): ("reasoning.encrypted_content", {}),
}
SOURCES = "web_search_call.action.sources"
PREFIXES = {"message": "msg_", "function_call": "fc_", "function_call_output": "fc_", "reasoning": "rs_"}


def response(id_: str, now: int, body: Mapping[str, Any], *, store: bool) -> Object:
    """Just created from the request `body`."""
    background = bool(body.get("background"))
    model = body.get("model") or ""
    conversation = body.get("conversation")
    named: Object = {name: body[name] for name in ("prompt", "agent", "agent_reference") if body.get(name)}
    if conversation:
        named["conversation"] = {"id": conversation if isinstance(conversation, str) else conversation["id"]}
    return {
        "id": id_,
        "object": "response",
        "created_at": now,
        "status": "queued" if background else "in_progress",
        "background": background,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": DATED.get(model, model),
        "output": [],
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "store": store,
        "text": {"format": {"type": "text"}, "verbosity": "medium", **(body.get("text") or {})},
        "tools": [tool(one) for one in body.get("tools") or ()],
        "usage": None,
        **{name: default if body.get(name) is None else body[name] for name, default in DEFAULTS.items()},
        **named,
        "metadata": metadata(body),
    }


def tool(given: Mapping[str, Any]) -> Object:
    """A tool definition with the API's defaults."""
    if given.get("type") == "function":
        return {"description": None, "parameters": None, "strict": True, **given}
    return dict(given)


def input_items(state: State, given: Any) -> list[Object]:
    """The request's input as items: a text is a user's message."""
    if given is None:
        return []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise refused("Invalid type for 'input': expected a string or an array.", param="input")
    return [_input_item(state, one) for one in given]


def _input_item(state: State, given: Mapping[str, Any]) -> Object:
    kind = given.get("type") or "message"
    if kind == "item_reference":
        return state.items.find(given["id"])
    if kind == "message" and given.get("role") not in ("user", "assistant", "system", "developer"):
        raise refused(f"Invalid value: '{given.get('role')}'.", code="invalid_value", param="input[0].role")
    item: Object = {"id": state.new_id(PREFIXES.get(kind, "item_")), "status": "completed", **given}
    item["type"] = kind
    if kind == "message" and isinstance(item.get("content"), str):
        part = {"type": "input_text", "text": item["content"]}
        if item["role"] == "assistant":
            part = {"type": "output_text", "text": item["content"], "annotations": [], "logprobs": []}
        item["content"] = [part]
    return state.items.put(item["id"], item)


def usage(used: Usage) -> Object:
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {
            "cached_tokens": used.cached_tokens,
            "cache_write_tokens": used.cache_write_tokens,
        },
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.input_tokens + used.output_tokens,
    }


def estimate(read: Iterable[Object], pieces: int) -> Usage:
    """A quarter of the characters read, one token a piece written: near enough to look real."""
    return Usage(10 + sum(len(json.dumps(one)) for one in read) // 8, max(1, pieces))


def view(body: Object, include: Collection[str]) -> Object:
    """A response as this reader sees it."""
    return {**body, "output": [view_item(one, include) for one in body["output"]]}


def view_item(item: Object, include: Collection[str]) -> Object:
    """An item without what include[] has to ask for."""
    for (kind, name), (wanted, without) in HIDDEN.items():
        if item["type"] == kind and name in item and wanted not in include:
            item = {key: value for key, value in item.items() if key != name} | without
    if item["type"] == "web_search_call" and "sources" in item["action"] and SOURCES not in include:
        item = {**item, "action": {k: v for k, v in item["action"].items() if k != "sources"}}
    return item


def text_of(item: Object) -> str:
    """The texts of a message's parts."""
    return "\n".join(part["text"] for part in item.get("content") or () if "text" in part)
