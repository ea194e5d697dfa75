"""How wild: a little wherever the tests are run by hand, the numbers of a bad day in `make chaos` (RUNSPAN_CHAOS=1)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from runspan.fake import Server, SimulatedClock, serve
from tests.chaos import figures
from tests.support.fixtures import receiver
from tests.support.playing import ANSWERED
from tests.support.serving import broker

__all__ = ["broker", "receiver"]

IS_WILD = bool(os.environ.get("RUNSPAN_CHAOS"))
DONE = pytest.StashKey[list[figures.Figure]]()


@pytest.fixture(autouse=True)
def switching_often() -> Iterator[None]:
    """Threads change places thousands of times as often as usual, so that what may go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def many() -> int:
    """How many times as much."""
    return 10 if IS_WILD else 1


@pytest.fixture
def server() -> Iterator[Server]:
    """Its runs are over at the third poll."""
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as running:
        yield running


@pytest.fixture(autouse=True)
def figure(request: pytest.FixtureRequest) -> Iterator[None]:
    """A line of the table for each case; and none leaves a thread of ours behind."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    figure = figures.Figure(name)
    figures.now.append(figure)
    yield
    figures.now.remove(figure)
    figure.end()
    request.config.stash.setdefault(DONE, []).append(figure)
    assert figure.threads == 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    done = config.stash.get(DONE, [])
    if IS_WILD and done:
        terminalreporter.write_line("\n" + figures.table(done))
