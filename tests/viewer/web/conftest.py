"""A viewer on a free port, with its store in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runspan.viewer import Limits, Viewer, serve
from runspan.viewer.spans import Span

from ..wire import Answer, call, export, post

SMALL = Limits(request_bytes=200_000, decoded_bytes=1_000_000, patience_s=1.0)


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
