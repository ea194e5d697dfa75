"""A process with a response that takes orders, one JSON line each on stdin: `python -m tests.processes.responder`."""

from __future__ import annotations

import http.server
import json
import os
import sys
import threading
import time
from typing import Any

import runspan
from runspan.fake.responses import SECRET
from tests.support import app

LIVE = ("queued", "in_progress")
heard = threading.Semaphore(0)  # webhooks that were handled


def create(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    """A web process: creates the response, and looks no further."""

    @runspan.observe
    def ask() -> Any:
        return client.responses.create(model=app.MODEL, input="What is 6 times 7?", background=True)

    response = ask()
    return {"id": response.id, "metadata": response.metadata}


def handoff(_: Any, order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "headers": runspan.handoff(order["id"])}


def listen(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    """Handles webhooks from now on, as the API's guide has it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            event = client.webhooks.unwrap(body, dict(self.headers), secret=SECRET)
            client.responses.retrieve(event.data.id)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
            heard.release()

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {"url": f"http://127.0.0.1:{server.server_port}/hook"}


def hear(_: Any, order: dict[str, Any]) -> dict[str, Any]:
    """Waits for that many webhooks."""
    for _ in range(order["count"]):
        if not heard.acquire(timeout=60):
            raise TimeoutError
    return order


def read(client: Any, order: dict[str, Any]) -> dict[str, Any]:
    """A page that shows the answer, once it is there."""
    response = client.responses.retrieve(order["id"])
    return {**order, "status": response.status, "answer": response.output_text}


def poll(client: Any, order: dict[str, Any]) -> dict[str, Any]:
    while (response := client.responses.retrieve(order["id"])).status in LIVE:
        time.sleep(0.01)
    return {**order, "status": response.status}


def adopt(client: Any, order: dict[str, Any]) -> dict[str, Any]:
    """Goes on with what another process began: reads the end, or resumes the stream."""
    with runspan.adopt(order["id"], order["headers"]):
        if "after" not in order:
            return poll(client, order)
        stream = client.responses.retrieve(order["id"], stream=True, starting_after=order["after"])
        return {**order, "status": [event.type for event in stream][-1]}


def stream(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    """Streams until the connection breaks."""
    seen: list[Any] = []
    try:
        stream = client.responses.create(model=app.MODEL, input="?", background=True, stream=True)
        for event in stream:
            seen.append(event)  # noqa: PERF402 - those before the cut count
    except Exception as error:
        return {"id": seen[0].response.id, "after": seen[-1].sequence_number, "error": type(error).__name__}
    raise AssertionError("nothing broke")


def stats(_: Any, order: dict[str, Any]) -> dict[str, Any]:
    runspan.flush(20)
    found = runspan.instrument().stats()
    return {name: getattr(found, name) for name in ("started", "emitted", "unfinished", "handed_off", "live")}


STEPS = {f.__name__: f for f in (create, handoff, listen, hear, read, poll, adopt, stream, stats)}


def main() -> None:
    runspan.instrument(exit_timeout_s=20, **json.loads(os.environ.get("APP_OPTIONS", "{}")))
    with app.client() as client:
        for line in sys.stdin:
            step, order = json.loads(line)
            print(json.dumps(STEPS[step](client, order)), flush=True)


if __name__ == "__main__":
    main()
