"""An async stream that an app forgets: the collector ends its generators in the same order with us and without us."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from tests.support.playing import App, playing
from tests.support.tracing import traced


async def typed(app: App) -> AsyncIterator[Any]:
    return await app.runs.create(**app.asked, stream=True)  # type: ignore[no-any-return]


async def handled(app: App) -> AsyncIterator[Any]:
    return await app.runs.stream(**app.asked).__aenter__()  # type: ignore[no-any-return]


async def as_bytes(app: App) -> AsyncIterator[Any]:
    response = await app.runs.with_streaming_response.create(**app.asked, stream=True).__aenter__()
    return response.iter_bytes()  # type: ignore[no-any-return]


async def _ended(app: App, opened: Any) -> list[str]:
    """The generators of a forgotten stream by their names, as the collector ends them."""
    names: list[str] = []
    hooks = sys.get_asyncgen_hooks()

    def ends(generator: AsyncGenerator[Any, Any]) -> None:
        names.append(generator.__qualname__)
        hooks.finalizer(generator)

    await app.ask()
    sys.set_asyncgen_hooks(finalizer=ends)
    try:
        pieces = await opened(app)
        await pieces.__anext__()
        for generation in (0, 1, 0, 1):  # each look puts aside what it meets before what leads to it
            gc.collect(generation)
        del pieces
        gc.collect()
        await asyncio.sleep(0)
    finally:
        sys.set_asyncgen_hooks(finalizer=hooks.finalizer)
    return [name for name in names if not name.startswith("aseen")]  # ours, of which the client has none


@pytest.mark.parametrize("opened", [typed, handled, as_bytes], ids=lambda opened: opened.__name__)
def test_the_generators_of_a_forgotten_stream_end_in_the_clients_own_order(opened: Any) -> None:
    orders: list[list[str]] = []

    async def case(app: App) -> None:
        orders.append(await _ended(app, opened))

    with playing("AsyncOpenAI") as app:
        app.play(case)
    with playing("AsyncOpenAI") as app, traced():
        app.play(case)
    bare, with_us = orders
    assert bare
    assert with_us == bare
