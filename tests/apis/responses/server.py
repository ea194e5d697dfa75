"""A server of responses that says what a test tells it to: per (method, path) a list of answers, of which the last is repeated.

An answer is an object, a list of events (a stream), a pair (status, object), or a function of the request's body.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import openai

from tests.support.listening import Handler, listening

RESPONSE = "resp_1"
CREATED = 1_700_000_000
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 8},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 130,
}


def message(text: str = "It is 42.", id_: str = "msg_1", **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    said = {"id": id_, "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return {**said, **more}


def function_call(id_: str = "call_1", name: str = "weather", **arguments: Any) -> dict[str, Any]:
    given = json.dumps(arguments or {"city": "Bern"})
    names = {"id": f"fc_{id_}", "call_id": id_, "name": name, "arguments": given}
    return {"type": "function_call", "status": "completed", **names}


def response(status: str = "completed", *output: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    is_over = status in ("completed", "incomplete")
    said = {
        "id": RESPONSE,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": True,
        "error": None,
        "incomplete_details": None,
        "instructions": "Be brief.",
        "metadata": {},
        "model": "gpt-4o-2024-08-06",
        "output": list(output or ([message()] if status == "completed" else [])),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": USAGE if is_over else None,
    }
    return {**said, **more}


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": name, **fields}


def stream(*output: Mapping[str, Any], last: str = "completed", **more: Any) -> list[dict[str, Any]]:
    """The events of a whole stream: a text in two pieces for each message."""
    events = [event(f"response.{s}", response=response(s, **more)) for s in ("queued", "in_progress")]
    events.insert(0, event("response.created", response=response("queued", **more)))
    for n, item in enumerate(output or (message(),)):
        events.append(event("response.output_item.added", output_index=n, item={**item, **_begun(item)}))
        for part in item.get("content", ()):
            half = len(part["text"]) // 2
            of = {"item_id": item["id"], "output_index": n, "content_index": 0}
            pieces = (part["text"][:half], part["text"][half:])
            events += [
                event("response.output_text.delta", **of, delta=piece, logprobs=[]) for piece in pieces
            ]
            events.append(event("response.output_text.done", **of, text=part["text"], logprobs=[]))
        events.append(event("response.output_item.done", output_index=n, item=item))
    events.append(event(f"response.{last}", response=response(last, *output, **more)))
    return [{**one, "sequence_number": n} for n, one in enumerate(events)]


def _begun(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "in_progress", **({"content": []} if "content" in item else {})}


@dataclass
class Scripted:
    answers: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def says(self, method: str, path: str, *answers: Any) -> Scripted:
        self.answers[method, path] = list(answers)
        return self

    def polls(self, *answers: Any, id_: str = RESPONSE) -> Scripted:
        return self.says("GET", f"/responses/{id_}", *answers)

    def creates(self, *answers: Any) -> Scripted:
        return self.says("POST", "/responses", *answers)

    def answer(self, method: str, path: str, body: Any) -> Any:
        path, _, query = path.partition("?")
        with self.lock:
            self.seen.append((method, f"{path}?{query}" if query else path, body))
            left = self.answers.get((method, path))
            if not left:
                return 404, {
                    "error": {"message": "not found", "code": "not_found", "type": "invalid_request_error"}
                }
            found = left.pop(0) if len(left) > 1 else left[0]
        return found(body) if callable(found) else found

    def client(self, kind: str = "OpenAI", **options: Any) -> Any:
        http = openai.DefaultAsyncHttpxClient if kind.startswith("Async") else openai.DefaultHttpxClient
        common = {"api_key": "sk-none", "max_retries": 0, "http_client": http(verify=False), **options}
        return getattr(openai, kind)(base_url=self.url, **common)


@contextmanager
def serving() -> Iterator[Scripted]:
    scripted = Scripted()

    class Answering(Handler):
        def do_GET(self) -> None:
            body = json.loads(self.body() or b"null")
            found = scripted.answer(self.command, self.path.removeprefix("/v1"), body)
            status, said = found if isinstance(found, tuple) else (200, found)
            is_stream = isinstance(said, list)
            lines = (
                [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in said]
                if is_stream
                else [json.dumps(said)]
            )
            kind = "text/event-stream" if is_stream else "application/json"
            self.answer(status, "".join(lines).encode(), content_type=kind)

        do_POST = do_DELETE = do_GET  # noqa: N815

    with listening(Answering) as address:
        scripted.url = f"{address}/v1"
        yield scripted


Answer = Callable[[Any], Any]
