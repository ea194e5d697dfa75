"""A store in a folder of the test's own, and a way to put spans into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runspan.viewer.spans import Span
from runspan.viewer.store import Store, rows

from ..wire import PROTOBUF, export

Put = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "traces.db") as made:
        yield made


@pytest.fixture
def put(store: Store) -> Put:
    def put(*spans: Span) -> None:
        store.add(rows.traces(export(*spans), PROTOBUF)).result(10)

    return put
