"""Where apps ask, where their spans arrive, and one Run under some settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import runspan
from tests.support.app import begin_runs, canned_client
from tests.support.fixtures import receiver, server

__all__ = ["receiver", "server"]

Run = Callable[..., None]


def settle() -> None:
    """Let threads that were told to end do so."""
    for thread in threading.enumerate():
        if thread.name.startswith(("runspan-", "Otel")):
            thread.join(20)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """run({variables}, option=...): one Run, under those variables, all delivered."""

    def run(variables: Mapping[str, str], **options: Any) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        runspan.instrument(
            **{"limits": runspan.Limits(exit_timeout_s=20), "background_fetch": False, **options}
        )
        begin_runs(canned_client(), 1)
        runspan.uninstrument()

    yield run
    runspan.uninstrument()
