"""The server on its socket, in a daemon thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from runspan.fake.api import Api, Received
from runspan.fake.clock import Clock
from runspan.fake.dialects import DIALECTS
from runspan.fake.dialects.speaking import Speaker
from runspan.fake.faults import FAULTS, Fault, Rule
from runspan.fake.http import Connection
from runspan.fake.library import SCENARIOS
from runspan.fake.playlist import Playlist
from runspan.fake.responses.library import SCENARIOS as RESPONSES
from runspan.fake.responses.scenarios import Scenario as ResponseScenario
from runspan.fake.responses.webhooks import Delivery, Webhook, Webhooks
from runspan.fake.scenarios import Scenario
from runspan.fake.store import State

T = TypeVar("T")


class Server:
    """The handle of a running server. Its methods may be called from any thread.

    `scenario`, `play_next` and `play_for` (a thread or an assistant) choose what runs do; `responses` does the
    same for responses, whose objects are conversations, agents, stored prompts and models.
    """

    def __init__(self, api: Api, host: str, port: int) -> None:
        self._api = api
        self.host, self.port = host, port

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    @property
    def azure_endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def clock(self) -> Clock:
        return self._api.clock

    @property
    def state(self) -> State:
        """What the server remembers. To look at; it changes in the server's thread."""
        return self._api.state

    @property
    def requests(self) -> Sequence[Received]:
        """The last requests, oldest first."""
        return tuple(self._api.requests)

    @property
    def responses(self) -> Playlist[ResponseScenario]:
        return self._api.responses

    def add_webhook(self, url: str, **options: Any) -> Webhook:
        """Post the ends of background responses that start from now on to `url`; options as in `Webhook`."""
        webhook = Webhook(url, **options)
        self._api.webhooks.hooks.append(webhook)
        return webhook

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """What was posted to webhooks, oldest first."""
        return tuple(self._api.webhooks.deliveries)

    @property
    def scenario(self) -> Scenario:
        return self._api.scenarios.scenario

    @scenario.setter
    def scenario(self, which: Scenario | str) -> None:
        self._api.scenarios.scenario = which

    def play_next(self, *scenarios: Scenario | str) -> None:
        """One scenario for each of the next runs, in order."""
        self._api.scenarios.play_next(*scenarios)

    def play_for(self, id_: str, which: Scenario | str) -> None:
        """A scenario for all runs of an assistant or a thread."""
        self._api.scenarios.play_for(id_, which)

    def inject(
        self, fault: Fault | str, *, method: str = "*", path: str = "*", times: int = 1, skip: int = 0
    ) -> None:
        """Let requests fail: the first `skip` that match pass, the next `times` get the fault.

        `path` is a glob without /v1, e.g. "/threads/*/runs/*"; `*` crosses slashes.
        """
        chosen = FAULTS[fault] if isinstance(fault, str) else fault
        live = [rule for rule in self._api.rules if rule.times > 0]
        self._api.rules = [*live, Rule(chosen, method, path, times, skip)]


@contextlib.contextmanager
def serve(
    scenario: Scenario | str = "default",
    clock: Clock | None = None,
    *,
    responses: ResponseScenario | str = "default",
    dialect: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int | None = None,
    max_threads: int = 2_000,
    max_requests: int = 10_000,
) -> Iterator[Server]:
    """Serve for as long as the block runs. `port=0` takes a free one; `seed` makes ids repeat.

    `dialect`: a name of `DIALECTS`, a server that speaks the Assistants wire in a way of its own. KeyError: there is none.
    """
    state, clock = State(max_threads=max_threads, seed=seed), clock or Clock()
    api = Api(
        state,
        clock,
        Playlist(SCENARIOS, scenario),
        Playlist(RESPONSES, responses),
        Webhooks(clock, state),
        deque[Received](maxlen=max_requests),
        speaker=None if dialect is None else Speaker(DIALECTS[dialect]),
    )
    connections: set[Connection] = set()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="runspan-fake", daemon=True)
    thread.start()

    def there(coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in the server's thread: ours may have a loop of its own running."""
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    try:
        listening = there(loop.create_server(lambda: Connection(api, connections), host, port, backlog=256))
        try:
            yield Server(api, host, listening.sockets[0].getsockname()[1])
        finally:
            there(_close(listening, connections, api.webhooks.tasks))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


# Of the loop. A connection that is accepted in the first one shows itself in the third. Where the listener is closed meanwhile,
# asyncio leaves its socket open (3.11, `Server._attach`).
_ROUNDS = 4


async def _close(
    listening: asyncio.Server, connections: set[Connection], deliveries: set[asyncio.Task[None]]
) -> None:
    """Cut what is open; when this returns every socket is closed and every task has ended."""
    loop = asyncio.get_running_loop()
    for listener in listening.sockets:
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.remove_reader(listener)
    for task in deliveries:
        task.cancel()
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
        for connection in tuple(connections):
            connection.transport.abort()
    listening.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # aborted transports close their sockets in the loop's next round
