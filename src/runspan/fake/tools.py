"""Tool calls of a step, on the wire, and the search behind file_search and vector store search."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from runspan.fake import objects
from runspan.fake.answers import arguments
from runspan.fake.scenarios import CodeInterpreter, FileResult, FunctionCall, Logs, Retrieval, ToolCall
from runspan.fake.store import Object, State

if TYPE_CHECKING:
    from runspan.fake.run import Run

WORD = re.compile(r"\w{3,}")


def tool_call(run: Run, call: ToolCall) -> Object:
    """The call as it stands in a step. A file search is carried out here."""
    head = {"id": run.state.new_id("call_")}
    if isinstance(call, FunctionCall):
        name, given = _function(run, call)
        return {**head, "type": "function", "function": {"name": name, "arguments": given, "output": None}}
    if isinstance(call, CodeInterpreter):
        outputs = [
            {"type": "logs", "logs": one.logs}
            if isinstance(one, Logs)
            else {"type": "image", "image": {"file_id": one.file_id}}
            for one in call.outputs
        ]
        return {
            **head,
            "type": "code_interpreter",
            "code_interpreter": {"input": call.input, "outputs": outputs},
        }
    if isinstance(call, Retrieval):
        return {**head, "type": "retrieval", "retrieval": {}}
    found = _attached(run) if call.results is None else call.results
    results = [_result(one) for one in found]
    run.searched.extend(results)
    return {
        **head,
        "type": "file_search",
        "file_search": {"ranking_options": objects.RANKING, "results": results},
    }


def search(state: State, store_ids: Iterable[str], query: str, limit: int = 10) -> list[FileResult]:
    """Files of these vector stores by the share of the query's words in them, best first."""
    words = set(WORD.findall(query.lower()))
    found: list[FileResult] = []
    for store_id in store_ids:
        store = state.vector_stores.get(store_id)
        for file_id in store.files if store else ():
            file = state.files.get(file_id)
            if file is None:
                continue
            text = file.content.decode(errors="replace")
            score = len(words & set(WORD.findall(text.lower()))) / max(1, len(words))
            found.append(FileResult(file_id, file.body["filename"], round(score, 4), text))
    return sorted(found, key=lambda one: -one.score)[:limit]


def _function(run: Run, call: FunctionCall) -> tuple[str, str]:
    """Name and arguments, where the scenario leaves them open those of the assistant's own function."""
    known = [tool["function"] for tool in run.body["tools"] if tool["type"] == "function"]
    function = next(
        (one for one in known if call.name in (None, one["name"])), {"name": call.name or "function"}
    )
    return function["name"], call.arguments or arguments(function, run.turn().question)


def _attached(run: Run) -> list[FileResult]:
    owners = [run.thread.body, run.state.assistants.get(run.body["assistant_id"], {})]
    stores = [
        store_id
        for owner in owners
        for store_id in owner.get("tool_resources", {}).get("file_search", {}).get("vector_store_ids", ())
    ]
    return search(run.state, stores, run.turn().question)


def _result(one: FileResult) -> Object:
    named = {name: value for name, value in asdict(one).items() if name != "content"}
    return {**named, "content": [{"type": "text", "text": one.content}]}
