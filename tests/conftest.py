"""For every test: a clean environment, loopback only, and our own swallowed errors made fatal."""

from __future__ import annotations

import functools
import gc
import os
import signal
import socket
import ssl
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from runspan import guard
from tests.support import examples  # loads the profile of hypothesis

_OF_THE_APP = ("OTEL_", "RUNSPAN_", "OPENAI_", "AZURE_OPENAI_", "LANGFUSE_", "PHOENIX_", "MLFLOW_")
_OF_THE_TESTS = ("RUNSPAN_RECORDINGS", "RUNSPAN_TOOLS", "RUNSPAN_OPENAPI")

gc.disable()  # while the tests are found, it costs a worker two seconds and frees nothing


def pytest_collection_finish() -> None:
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="rewrite tests/traces/*.json from what the tests see"
    )


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_of_a_terminal() -> None:
    """A background job begins with Ctrl-C ignored, and so do its children: twisted (daphne) and Python itself then leave it so."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def one_ssl_context() -> Iterator[None]:
    """Each client of openai loads all certificates anew: 70 ms, and nothing here speaks TLS."""
    real = ssl.create_default_context
    ssl.create_default_context = functools.cache(real)
    yield
    ssl.create_default_context = real


@pytest.fixture(autouse=True, scope="session")
def warm() -> None:
    examples.warm_up()


@pytest.fixture(autouse=True, scope="module")
def own_garbage() -> Iterator[None]:
    """What a module leaves is collected at its end, so that what it left open complains there and in no later test.

    What lives is frozen first: a whole collection, of which the tests ask for a thousand, takes 10 ms then, and half a second else.
    """
    gc.freeze()
    yield
    gc.collect()


@pytest.fixture(autouse=True, scope="session")
def clean_environ() -> Iterator[None]:
    """Whoever runs the tests may have tracing of their own configured."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_OF_THE_APP) and name not in _OF_THE_TESTS:
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise AssertionError(f"a test tried to reach {address!r}")
        real(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@pytest.fixture(autouse=True)
def swallowed_errors_fail(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Mark a test with `expects_swallowed` where a swallowed error is what it is about."""
    seen: list[str] = []

    def hook(site: str, error: Exception) -> None:
        seen.append(f"{site}: " + "".join(traceback.format_exception(error)))

    guard.add_hook(hook)
    yield seen
    guard.remove_hook(hook)
    if seen and request.node.get_closest_marker("expects_swallowed") is None:
        pytest.fail("runspan swallowed errors of its own:\n" + "\n".join(seen))
