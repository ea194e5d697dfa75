"""What the trace of a recording has to say, read off its exchanges."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.e2e.recordings.exchange import Exchange

DATA = re.compile(r"^data: *(.*?)\r?$", re.MULTILINE)
OVER = ("completed", "failed", "cancelled", "incomplete")
FOR_THE_APP = ("function_call", "custom_tool_call", "apply_patch_call", "computer_call", "local_shell_call")


@dataclass(frozen=True)
class Told:
    """One response."""

    id: str
    model: str | None
    status: str
    usage: tuple[int | None, int | None]
    texts: tuple[str, ...]
    tools: tuple[str, ...]  # types of what the server ran
    error: str | None


def events(exchange: Exchange) -> Iterator[dict[str, Any]]:
    for data in DATA.findall(exchange.body):
        if data.startswith("{"):
            yield json.loads(data)


def objects(exchange: Exchange, *, raises: bool) -> Iterator[dict[str, Any]]:
    """Response objects as the app got them, in order. `raises`: the client hands out nothing behind an error."""
    if exchange.is_stream:
        for event in events(exchange):
            if event.get("type") == "error" and raises:
                return
            if isinstance(event.get("response"), dict):
                yield event["response"]
    elif isinstance(exchange.body, dict) and exchange.body.get("object") == "response":
        yield exchange.body


def expected(exchanges: list[Exchange], *, everything: bool, raises: bool) -> list[Told]:
    """The responses that these requests started, those in the background or all."""
    last: dict[str, dict[str, Any]] = {}
    started: list[str] = []
    broken: dict[str, str] = {}
    for exchange in exchanges:
        for found in objects(exchange, raises=raises):
            known = last.get(found["id"])
            if known is None or known["status"] not in OVER:
                last[found["id"]] = found
            asked = exchange.request_body or {}
            if exchange.method == "POST" and exchange.path.endswith("/responses") and known is None:
                if everything or asked.get("background"):
                    started.append(found["id"])
                if raises and exchange.is_stream:
                    errors = [e for e in events(exchange) if e.get("type") == "error"]
                    broken |= {id_: e["error"]["code"] for id_, e in zip([found["id"]], errors, strict=False)}
    return [told(last[id_], broken.get(id_)) for id_ in started]


def told(response: dict[str, Any], broken: str | None) -> Told:
    is_over, usage = response["status"] in OVER, response.get("usage") or {}
    output = response["output"] if is_over else []
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    results = {item.get("call_id") for item in output if item["type"].endswith("_output")}
    of_server = [
        item["type"]
        for item in output
        if (item["type"].endswith("_call") or item["type"] == "mcp_list_tools")
        and (item["type"] not in FOR_THE_APP or item.get("call_id") in results)
    ]
    error = (response.get("error") or {}).get("code") if response["status"] == "failed" else broken
    return Told(
        response["id"],
        response["model"],
        response["status"],
        (usage.get("input_tokens"), usage.get("output_tokens")) if is_over else (None, None),
        tuple(part.get("text", part.get("refusal")) for part in parts),
        tuple(of_server),
        error,
    )
