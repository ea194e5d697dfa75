"""Webhooks: signed by the scheme of standardwebhooks.com, posted to an app when a background response ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from runspan.fake.clock import Clock
from runspan.fake.responses.run import ResponseRun
from runspan.fake.store import Object, State

SECRET = "whsec_" + base64.b64encode(b"no secret: runspan's fake server").decode()
ANSWER_S = 5.0  # real seconds that an app has


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the app listens. A delivery that is not answered with 2xx is repeated after each of `retries_s`."""

    url: str  # http://host:port/path
    secret: str = SECRET
    events: tuple[str, ...] = (
        "response.completed",
        "response.failed",
        "response.incomplete",
        "response.cancelled",
    )
    copies: int = 1  # of each delivery: an event may come more than once
    retries_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to the app."""

    url: str
    id: str  # header webhook-id: the same for every copy and retry
    type: str
    response_id: str
    status: int | None  # of the app's answer; None: there was none


@dataclass(slots=True)
class Webhooks:
    """All of one server's. `add` may be called from any thread."""

    clock: Clock
    state: State
    deliveries: deque[Delivery] = field(default_factory=lambda: deque(maxlen=10_000))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    hooks: list[Webhook] = field(default_factory=list)

    def watch(self, run: ResponseRun) -> None:
        """Tell the app when it is over. Called in the server's thread."""
        if self.hooks and run.body["background"]:
            task = asyncio.get_running_loop().create_task(self._tell(run))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _tell(self, run: ResponseRun) -> None:
        await _end_of(run, self.clock)
        kind = f"response.{run.body['status']}"
        event: Object = {
            "id": self.state.new_id("evt_"),
            "object": "event",
            "created_at": int(run.ended_at or run.at),
            "type": kind,
            "data": {"id": run.body["id"]},
        }
        wanted = [hook for hook in self.hooks if kind in hook.events]
        await asyncio.gather(*(self._deliver(hook, event) for hook in wanted for _ in range(hook.copies)))

    async def _deliver(self, hook: Webhook, event: Object) -> None:
        body = json.dumps(event, separators=(",", ":")).encode()
        for wait_s in (0.0, *hook.retries_s):
            await self.clock.watch(self.clock.now() + wait_s, asyncio.Event())
            headers = signature(hook.secret, event["id"], body)
            status = await _post(hook.url, body, headers)
            self.deliveries.append(
                Delivery(hook.url, event["id"], event["type"], event["data"]["id"], status)
            )
            if status is not None and 200 <= status < 300:
                return


def signature(secret: str, id_: str, body: bytes, now: Callable[[], float] = time.time) -> dict[str, str]:
    """The three headers. Real time, whatever the server's clock says: the app refuses an old one."""
    stamp = str(int(now()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b".".join((id_.encode(), stamp.encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


async def _end_of(run: ResponseRun, clock: Clock) -> None:
    changed = asyncio.Event()
    run.listeners.add(changed)
    try:
        while not run.is_over:
            await clock.watch(run.next_at, changed)
            run.advance(clock.now())
    finally:
        run.listeners.discard(changed)


async def _post(url: str, body: bytes, headers: dict[str, str]) -> int | None:
    """The status of the answer, or None if there is none in time."""
    with contextlib.suppress(OSError, asyncio.TimeoutError, ValueError):
        return await asyncio.wait_for(_exchange(url, body, headers), ANSWER_S)
    return None


async def _exchange(url: str, body: bytes, headers: dict[str, str]) -> int:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port or 80)
    try:
        lines = [
            f"POST {address.path or '/'}{'?' + address.query if address.query else ''} HTTP/1.1",
            f"host: {address.netloc}",
            "content-type: application/json",
            "user-agent: OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)",
            "connection: close",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
