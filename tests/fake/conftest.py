"""A server, clients of the installed openai for it, and the shared papers where they are at hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from runspan.fake import Clock, Scenario, Server, SimulatedClock, serve

SHARED = Path(__file__).resolve().parents[3] / "shared"
RECORDINGS = Path(os.environ.get("RUNSPAN_RECORDINGS", SHARED / "recordings"))
OPENAPI = Path(os.environ.get("RUNSPAN_OPENAPI", SHARED / "openapi-assistants.json"))


@pytest.fixture
def fake() -> Iterator[Callable[..., Server]]:
    """fake(scenario, clock, **options) -> a running server; simulated time unless told otherwise."""
    with ExitStack() as running:

        def start(scenario: Scenario | str = "default", clock: Clock | None = None, **options: Any) -> Server:
            return running.enter_context(serve(scenario, clock or SimulatedClock(), **options))

        yield start


@pytest.fixture
def client(fake: Callable[..., Server]) -> Iterator[Callable[[Server], Any]]:
    """client(server) -> a sync client that does not retry."""
    from openai import DefaultHttpxClient, OpenAI

    with ExitStack() as opened:
        yield lambda server: opened.enter_context(
            OpenAI(
                base_url=server.base_url,
                api_key="sk-none",
                max_retries=0,
                http_client=DefaultHttpxClient(verify=False),  # no certificates to load: 2 ms for 80
            )
        )


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Callable[..., None]:
    """play(case, server): run one `async def case(client, server)` with the sync or the async client."""
    import openai

    kind, http = {
        "sync": (openai.OpenAI, openai.DefaultHttpxClient),
        "async": (openai.AsyncOpenAI, openai.DefaultAsyncHttpxClient),
    }[request.param]

    def run(case: Callable[[Any, Server], Coroutine[Any, Any, None]], server: Server) -> None:
        async def session() -> None:
            made: Any = kind(
                base_url=server.base_url, api_key="sk-none", max_retries=0, http_client=http(verify=False)
            )
            try:
                await case(made, server)
            finally:
                if request.param == "sync":
                    made.close()
                else:
                    await made.close()

        asyncio.run(session())

    return run


@pytest.fixture(scope="session")
def openapi() -> Path:
    if not OPENAPI.is_file():
        pytest.skip(f"no API description at {OPENAPI} (RUNSPAN_OPENAPI)")
    return OPENAPI


@pytest.fixture(scope="session")
def recordings() -> Path:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS} (RUNSPAN_RECORDINGS)")
    return RECORDINGS
