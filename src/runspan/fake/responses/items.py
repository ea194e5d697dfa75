"""Output items and their events: a table of the types, and one generator that plays them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from runspan.fake.answers import arguments, reply
from runspan.fake.course import Script
from runspan.fake.deltas import TOKEN
from runspan.fake.responses.scenarios import Item, Message, Reasoning, Text
from runspan.fake.scenarios import FunctionCall
from runspan.fake.store import Object

if TYPE_CHECKING:
    from runspan.fake.responses.run import ResponseRun

WORK, WRITE, END = "work", "write", "end"  # among the stages: its seconds, its text, the event of its end


@dataclass(frozen=True, slots=True)
class Kind:
    """How items of a type are named and streamed."""

    prefix: str
    stages: tuple[str, ...] = (WORK,)  # the others are events response.<type>.<stage>
    text: tuple[str, str] | None = None  # the field that comes in pieces, the name of its events
    early: tuple[str, ...] | None = None  # fields that it has before it is done; None: all
    blank: dict[str, Any] = field(default_factory=dict)  # what stands there instead of the others
    has_call_id: bool = False
    has_status: bool = True


SEARCH = ("in_progress", "searching", WORK, END)
CALL = ("name",)
PICTURE = ("size", "quality", "background", "output_format")
KINDS: dict[str, Kind] = {
    "function_call": Kind(
        "fc_", (WORK, WRITE), ("arguments", "function_call_arguments"), CALL, has_call_id=True
    ),
    "custom_tool_call": Kind(
        "ctc_", (WORK, WRITE), ("input", "custom_tool_call_input"), CALL, has_call_id=True
    ),
    "web_search_call": Kind("ws_", SEARCH, early=(), blank={"action": {"type": "search", "query": ""}}),
    "file_search_call": Kind("fs_", SEARCH, early=(), blank={"queries": [], "results": None}),
    "code_interpreter_call": Kind(
        "ci_",
        ("in_progress", WRITE, "interpreting", WORK, END),
        ("code", "code_interpreter_call_code"),
        ("container_id",),
        {"outputs": None},
    ),
    "image_generation_call": Kind("ig_", ("in_progress", "generating", WORK, "partial_image", END), early=()),
    "mcp_list_tools": Kind(
        "mcpl_", ("in_progress", WORK, END), early=("server_label",), blank={"tools": []}, has_status=False
    ),
    "mcp_call": Kind(
        "mcp_",
        ("in_progress", WRITE, WORK, END),
        ("arguments", "mcp_call_arguments"),
        ("server_label", "name", "approval_request_id"),
        {"output": None, "error": None},
        has_status=False,
    ),
    "mcp_approval_request": Kind("mcpr_", has_status=False),
    "computer_call": Kind("cu_", has_call_id=True),
    "local_shell_call": Kind("lsh_", has_call_id=True),
    "shell_call": Kind("sh_", has_call_id=True),
    "shell_call_output": Kind("sho_"),
    "apply_patch_call": Kind("apc_", has_call_id=True),
    "compaction": Kind("cmp_", has_status=False),
}
UNKNOWN = Kind("item_")
Ends: TypeAlias = Literal["completed", "incomplete", "open"]


def write(run: ResponseRun, item: Item | Message | Reasoning | FunctionCall, ends: Ends) -> Script:
    """All events of one item. What stands before an event's `yield` changes the item."""
    if isinstance(item, Message):
        return _message(run, item, ends)
    if isinstance(item, Reasoning):
        return _reasoning(run, item)
    return _tool(run, _function(run, item) if isinstance(item, FunctionCall) else item, ends)


def _tool(run: ResponseRun, item: Item, ends: Ends) -> Script:
    kind = KINDS.get(item.type, UNKNOWN)
    final = {**kind.blank, **item.fields}
    body: Object = {"id": run.state.new_id(kind.prefix), "type": item.type}
    if kind.has_status:
        body["status"] = "in_progress"
    if item.type.endswith("_output"):
        body["call_id"] = run.items[-1]["call_id"]  # of the call before it, which the server ran
    elif kind.has_call_id:
        body["call_id"] = run.state.new_id("call_")
    body |= kind.blank | {name: value for name, value in final.items() if _is_early(kind, name)}
    if kind.text:
        body[kind.text[0]] = ""
    place = run.add(body)
    at = {**place, "item_id": body["id"]}
    yield "response.output_item.added", {**place, "item": body}
    for stage in kind.stages:
        if stage == WORK:
            yield item.seconds
            if ends == "open":
                return
        elif stage == WRITE and kind.text:
            yield from _written(*kind.text, body, final, at)
        elif stage == "partial_image":
            image = {name: final[name] for name in PICTURE if name in final}
            image |= {"partial_image_index": 0, "partial_image_b64": final["result"]}
            yield f"response.{item.type}.{stage}", {**at, **image}
        else:
            failed = item.ends == "failed" and item.type.startswith("mcp_")  # only theirs can
            end = "failed" if failed else "completed"
            yield f"response.{item.type}.{end if stage == END else stage}", at
    body |= final
    if kind.has_status:
        body["status"] = item.ends if ends == "completed" else ends
    yield "response.output_item.done", {**place, "item": body}


def _is_early(kind: Kind, name: str) -> bool:
    return kind.early is None or name in kind.early


def _written(name: str, event: str, body: Object, final: Object, at: Object) -> Script:
    for piece in TOKEN.findall(final[name]):
        body[name] += piece
        yield f"response.{event}.delta", {**at, "delta": piece}
    function = {"name": final["name"]} if body["type"] == "function_call" else {}
    yield f"response.{event}.done", {**at, **function, name: final[name]}


def _function(run: ResponseRun, call: FunctionCall) -> Item:
    """Where the scenario leaves name and arguments open, those of the request's own function."""
    turn = run.turn()
    known = [tool["function"] for tool in turn.tools if tool["type"] == "function"]
    function = next(
        (one for one in known if call.name in (None, one["name"])), {"name": call.name or "function"}
    )
    written = call.arguments or arguments(function, turn.question)
    return Item("function_call", {"name": function["name"], "arguments": written})


def _message(run: ResponseRun, message: Message, ends: Ends) -> Script:
    yield message.seconds
    body: Object = {
        "id": run.state.new_id("msg_"),
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    place = run.add(body)
    yield "response.output_item.added", {**place, "item": body}
    at = {**place, "item_id": body["id"]}
    for index, part in enumerate(_parts(run, message)):
        here = {**at, "content_index": index}
        more: Object = {}
        if isinstance(part, Text):
            kind, name, value, more = "output_text", "text", part.text, {"logprobs": []}
            content: Object = {"type": kind, "annotations": [], "logprobs": [], name: ""}
        else:
            kind, name, value = "refusal", "refusal", part.refusal
            content = {"type": kind, name: ""}
        body["content"].append(content)
        yield "response.content_part.added", {**here, "part": content}
        for piece in TOKEN.findall(value):
            content[name] += piece
            run.pieces += 1
            yield f"response.{kind}.delta", {**here, "delta": piece, **more}
            if message.token_s:
                yield message.token_s
        for number, given in enumerate(part.annotations if isinstance(part, Text) else ()):
            content["annotations"].append(dict(given))
            annotation = {"annotation_index": number, "annotation": dict(given)}
            yield "response.output_text.annotation.added", {**here, **annotation}
        if ends == "open":
            return
        yield f"response.{kind}.done", {**here, name: value, **more}
        yield "response.content_part.done", {**here, "part": content}
    body["status"] = ends
    yield "response.output_item.done", {**place, "item": body}


def _reasoning(run: ResponseRun, reasoning: Reasoning) -> Script:
    body: Object = {"id": run.state.new_id("rs_"), "type": "reasoning", "summary": []}
    body["encrypted_content"] = reasoning.encrypted
    place = run.add(body)
    yield "response.output_item.added", {**place, "item": body}
    yield reasoning.seconds
    for index, text in enumerate(reasoning.summary):
        here = {**place, "item_id": body["id"], "summary_index": index}
        part: Object = {"type": "summary_text", "text": ""}
        yield "response.reasoning_summary_part.added", {**here, "part": part}
        for piece in TOKEN.findall(text):
            yield "response.reasoning_summary_text.delta", {**here, "delta": piece}
        part["text"] = text
        body["summary"].append(part)
        yield "response.reasoning_summary_text.done", {**here, "text": text}
        yield "response.reasoning_summary_part.done", {**here, "part": part}
    yield "response.output_item.done", {**place, "item": body}


def _parts(run: ResponseRun, message: Message) -> Iterator[Any]:
    content = message.content
    if isinstance(content, tuple):
        yield from content
    else:
        yield Text(content if isinstance(content, str) else (content or reply)(run.turn()))
