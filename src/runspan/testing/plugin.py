"""The pytest plugin. It is loaded at every start of pytest, so it imports nothing but pytest until a fixture is used."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..fake import Server
    from .capture import RunTraces


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "runspan(**options): options of runspan.instrument() for the fixture run_traces"
    )


@pytest.fixture
def assistants_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of both APIs on a free port, whose time moves by a second a poll, so nothing has to be waited for.

    `OPENAI_BASE_URL` and the variables of Azure lead there: clients made in the test talk to it by themselves. What runs do:
    `assistants_server.play_next("failed")`, or a `runspan.fake.Scenario` of your own; what responses do:
    `assistants_server.responses.play_next("web_search")`, or a `runspan.fake.responses.Scenario`.
    """
    fake = import_module("runspan.fake")  # by name: the server stands apart from the rest
    scenario = fake.SCENARIOS["default"].but(poll_after_ms=1)
    with fake.serve(scenario, fake.SimulatedClock()) as server:
        for prefix, name, address in (
            ("OPENAI", "BASE_URL", server.base_url),
            ("AZURE_OPENAI", "ENDPOINT", server.azure_endpoint),
        ):
            monkeypatch.setenv(f"{prefix}_{name}", address)
            monkeypatch.setenv(f"{prefix}_API_KEY", "none")
        monkeypatch.setenv("OPENAI_API_VERSION", "2024-05-01-preview")
        yield server


@pytest.fixture
def responses_server(assistants_server: Server) -> Server:
    """The same server, by the name of its other API."""
    return assistants_server


@pytest.fixture
def run_traces(request: pytest.FixtureRequest) -> Iterator[RunTraces]:
    """The runs and background responses of this test, traced as in production, kept in memory; afterwards all is as it was."""
    from .capture import capture_runs

    marker = request.node.get_closest_marker("runspan")
    with capture_runs(*(marker.args if marker else ()), **(marker.kwargs if marker else {})) as traces:
        yield traces
