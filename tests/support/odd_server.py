"""A tiny server whose Assistants objects are whatever a test wants them to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.listening import Handler, listening

Body = Any  # JSON, or bytes that are sent as they are
Route = tuple[str, str]  # method, last word of the path that is no id


class Odd:
    """`bodies[(method, what)]` is what is answered next, the last one again and again; `events` is every stream."""

    def __init__(self) -> None:
        self.bodies: dict[Route, list[Body]] = {}
        self.events: list[tuple[str, Any]] = []
        self.whole: tuple[dict[str, str], list[bytes]] | None = (
            None  # headers and pieces of every POST's answer
        )
        self.base_url = ""

    def answer(self, route: Route) -> Body:
        answers = self.bodies.get(route, [{}])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def _route(method: str, path: str) -> Route:
    words = [w for w in path.partition("?")[0].split("/") if w.isalpha() or w == "submit_tool_outputs"]
    is_one = path.partition("?")[0].rsplit("/", 1)[-1] not in words
    return method, words[-1] + ("/one" if is_one else "")


def _handler(odd: Odd) -> type[Handler]:
    class Replying(Handler):
        def do_GET(self) -> None:
            self._reply(_route("GET", self.path), {})

        def do_DELETE(self) -> None:
            self._reply(_route("DELETE", self.path), {})

        def do_POST(self) -> None:
            self._reply(_route("POST", self.path), json.loads(self.body() or b"{}"))

        def _pieces(self, headers: dict[str, str], pieces: list[bytes]) -> None:
            self.send_response(200)
            for name, value in {**headers, "transfer-encoding": "chunked"}.items():
                self.send_header(name, value)
            self.end_headers()
            for piece in [*pieces, b""]:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()

        def _reply(self, route: Route, sent: Any) -> None:
            if odd.whole is not None and route[0] == "POST":
                self._pieces(*odd.whole)
                return
            if isinstance(sent, dict) and sent.get("stream"):
                kind = "text/event-stream"
                body = b"".join(
                    f"event: {name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
                    for name, data in [*odd.events, ("done", "[DONE]")]
                )
            else:
                answer = odd.answer(route)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                kind = "application/json"
            self.answer(200, body, content_type=kind, openai_poll_after_ms="1")

    return Replying


@contextmanager
def odd_server() -> Iterator[Odd]:
    odd = Odd()
    with listening(_handler(odd)) as address:
        odd.base_url = f"{address}/v1"
        yield odd
