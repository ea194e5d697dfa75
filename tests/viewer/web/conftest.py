"""A viewer on a free port, with its store in a folder of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn.server

from runspan.viewer import Limits, Viewer, serve
from runspan.viewer.spans import Span

from ..wire import Answer, call, export, post

SMALL = Limits(request_bytes=200_000, decoded_bytes=1_000_000, patience_s=1.0)


class Hurried:
    """`asyncio` as uvicorn sees it, which sleeps for 0.1 s before it looks again whether it shall end."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)


@pytest.fixture(autouse=True, scope="module")
def hurried() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn.server, "asyncio", Hurried())
        yield


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    with serve(port=0, db=tmp_path / "traces.db", limits=SMALL) as running:
        yield running


@pytest.fixture
def send(viewer: Viewer) -> Callable[..., None]:
    def send(*spans: Span) -> None:
        assert post(viewer.port, export(*spans)).status == 200

    return send


@pytest.fixture
def get(viewer: Viewer) -> Callable[[str], Answer]:
    return lambda path: call(viewer.port, "GET", path)
