"""The API's objects as they are on the wire (v2 as recorded in 2024 and 2025), and their views.

Where recordings and the API description differ, the recordings win: a completed message read back carries
no `status`, `incomplete_details`, `incomplete_at`, `completed_at`; run steps carry `expires_at`, not
`expired_at` and `metadata`; the details of the prompt are `prompt_token_details`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runspan.fake.faults import refused
from runspan.fake.scenarios import Usage
from runspan.fake.store import Object

RANKING = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
INCLUDE_RESULTS = "step_details.tool_calls[*].file_search.results[*].content"

# What v1 did not know, and what it had instead (recorded in 2023 and March 2024).
V1_DROPS: dict[str, frozenset[str]] = {
    "assistant": frozenset({"tool_resources", "temperature", "top_p", "response_format", "reasoning_effort"}),
    "thread": frozenset({"tool_resources"}),
    "thread.message": frozenset({"attachments"}),
    "thread.run": frozenset(
        {
            "tool_resources",
            "temperature",
            "top_p",
            "reasoning_effort",
            "max_completion_tokens",
            "max_prompt_tokens",
            "truncation_strategy",
            "incomplete_details",
            "response_format",
            "tool_choice",
            "parallel_tool_calls",
        }
    ),
    "thread.run.step": frozenset(),
}
V1_HAS_FILE_IDS = frozenset({"assistant", "thread.message", "thread.run"})
TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
ONLY_STREAMED = frozenset({"status", "incomplete_details", "incomplete_at", "completed_at"})


def metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """Values become strings: the API answered {"modified": true} with {"modified": "True"} (recorded)."""
    return {str(name): str(value) for name, value in (body.get("metadata") or {}).items()}


def tools(given: Iterable[Mapping[str, Any]]) -> list[Object]:
    """Tool definitions with the API's defaults filled in."""
    filled: list[Object] = []
    for tool in given:
        if tool.get("type") == "function":
            parameters = {"type": "object", "properties": {}}
            function = {"parameters": parameters, "strict": False, **tool["function"]}
            filled.append({"type": "function", "function": function})
        elif tool.get("type") == "file_search":
            options = {"ranking_options": RANKING, **(tool.get("file_search") or {})}
            filled.append({"type": "file_search", "file_search": options})
        else:
            filled.append(dict(tool))
    return filled


def assistant(id_: str, now: int, body: Mapping[str, Any], tool_resources: Object) -> Object:
    return {
        "id": id_,
        "object": "assistant",
        "created_at": now,
        "name": body.get("name"),
        "description": body.get("description"),
        "model": body["model"],
        "instructions": body.get("instructions"),
        "tools": tools(body.get("tools") or ()),
        "top_p": body.get("top_p", 1.0),
        "temperature": body.get("temperature", 1.0),
        "reasoning_effort": body.get("reasoning_effort"),
        "tool_resources": tool_resources,
        "metadata": metadata(body),
        "response_format": body.get("response_format", "auto"),
    }


def content(given: Any) -> list[Object]:
    """A message's content as given in a request: a text, or parts."""
    if isinstance(given, str):
        return [{"type": "text", "text": {"value": given, "annotations": []}}]
    if not isinstance(given, list) or not given:
        raise refused("Missing required parameter: 'content'.", param="content")
    parts: list[Object] = []
    for part in given:
        kind = part.get("type")
        if kind == "text":
            parts.append({"type": "text", "text": {"value": part["text"], "annotations": []}})
        elif kind in ("image_file", "image_url"):
            parts.append({"type": kind, kind: {"detail": "auto", **part[kind]}})
        else:
            raise refused(f"Invalid value: '{kind}'.", code="invalid_value", param="content[0].type")
    return parts


def message(id_: str, now: int, thread_id: str, role: str, parts: list[Object], **more: Any) -> Object:
    """Completed, as a user's message is; an assistant's starts `in_progress` by `more`."""
    return {
        "id": id_,
        "object": "thread.message",
        "created_at": now,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": now,
        "role": role,
        "content": parts,
        "attachments": [],
        "metadata": {},
        **more,
    }


def run(
    id_: str, now: int, thread_id: str, made_by: Object, body: Mapping[str, Any], lifetime_s: int
) -> Object:
    """`made_by` is the assistant; what the request says goes before what the assistant says."""

    def chosen(name: str, default: Any = None) -> Any:
        value = body.get(name)
        return made_by.get(name, default) if value is None else value

    instructions = chosen("instructions")
    if body.get("additional_instructions"):
        instructions = f"{instructions or ''}\n{body['additional_instructions']}".strip()
    return {
        "id": id_,
        "object": "thread.run",
        "created_at": now,
        "assistant_id": made_by["id"],
        "thread_id": thread_id,
        "status": "queued",
        "started_at": None,
        "expires_at": now + lifetime_s,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": chosen("model"),
        "instructions": instructions,
        "tools": made_by["tools"] if body.get("tools") is None else tools(body["tools"]),
        "tool_resources": {},
        "metadata": metadata(body),
        "temperature": chosen("temperature", 1.0),
        "top_p": chosen("top_p", 1.0),
        "reasoning_effort": chosen("reasoning_effort"),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "truncation_strategy": {
            "type": "auto",
            "last_messages": None,
            **(body.get("truncation_strategy") or {}),
        },
        "incomplete_details": None,
        "usage": None,
        "response_format": chosen("response_format", "auto"),
        "tool_choice": body.get("tool_choice") or "auto",
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
    }


def step(id_: str, now: int, of: Object, details: Object) -> Object:
    """A step of the run `of`, just begun."""
    return {
        "id": id_,
        "object": "thread.run.step",
        "created_at": now,
        "run_id": of["id"],
        "assistant_id": of["assistant_id"],
        "thread_id": of["thread_id"],
        "type": details["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expires_at": of["expires_at"],
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": None,
    }


def usage(steps: Iterable[Usage]) -> Object:
    prompt = completion = cached = reasoning = 0
    for one in steps:
        prompt += one.prompt_tokens
        completion += one.completion_tokens
        cached += one.cached_tokens
        reasoning += one.reasoning_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_token_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def view(thing: Object, *, v1: bool = False, results: bool = False, streamed: bool = False) -> Object:
    """`thing` as this reader sees it. `results`: file_search results with their content."""
    kind = thing.get("object")  # items of responses have none
    if kind == "thread.message" and not streamed and thing["status"] == "completed":
        thing = {name: value for name, value in thing.items() if name not in ONLY_STREAMED}
    elif kind == "thread.run.step" and not results and thing["type"] == "tool_calls":
        calls = [_without_content(call) for call in thing["step_details"]["tool_calls"]]
        thing = {**thing, "step_details": {"type": "tool_calls", "tool_calls": calls}}
    return _as_v1(thing) if v1 and kind in V1_DROPS else thing


def _without_content(call: Object) -> Object:
    if call["type"] != "file_search":
        return call
    found = [{k: v for k, v in one.items() if k != "content"} for one in call["file_search"]["results"]]
    return {**call, "file_search": {**call["file_search"], "results": found}}


def _as_v1(thing: Object) -> Object:
    kept = {name: value for name, value in thing.items() if name not in V1_DROPS[thing["object"]]}
    if thing["object"] in V1_HAS_FILE_IDS:
        resources = thing.get("tool_resources") or {}
        attached = [one["file_id"] for one in thing.get("attachments") or ()]
        kept["file_ids"] = [*attached, *(resources.get("code_interpreter") or {}).get("file_ids", ())]
    if kept.get("usage"):
        kept["usage"] = {name: kept["usage"][name] for name in TOKENS}
    return kept
