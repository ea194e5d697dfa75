"""Once all is delivered, or given up, the exit of the process waits for nothing more."""

from __future__ import annotations

import atexit
from collections.abc import Callable

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import runspan
from tests.support.app import begin_runs, canned_client

from .conftest import settle


def a_span() -> None:
    """Its end starts no thread of the worker: that begins with the end itself."""
    with runspan.span("work"):
        pass


def a_run() -> None:
    """It lives on, so it is measured, and the MeterProvider used, in the midst of the end."""
    begin_runs(canned_client(), 1)


@pytest.mark.parametrize("work", [a_span, a_run])
def test_after_the_end_no_exit_hook_is_left(
    work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[object] = []  # of anybody
    monkeypatch.setattr(atexit, "register", lambda hook, *_: hooks.append(hook))
    monkeypatch.setattr(atexit, "unregister", lambda hook: hook in hooks and hooks.remove(hook))
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    handle = runspan.instrument(background_fetch=False)
    work()
    assert handle._exit_hook in hooks
    assert runspan.uninstrument()
    assert handle._exit_hook not in hooks
    settle()
    assert handle._exit_hook not in hooks
    provider.shutdown()
