"""`instrument()` does all that it does, or nothing; switched off it does nothing at all."""

from __future__ import annotations

import atexit
import gc
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry import metrics, trace

import runspan
from runspan import setup
from runspan.clients.openai.install import OpenAIInstaller
from runspan.clients.other_instrumentations import OtherInstrumentations
from runspan.config import Config
from runspan.meters import Meters
from runspan.observing.thread_pools import ThreadPoolPatch
from runspan.providers import Providers
from runspan.runtime import active
from runspan.runtime.endings import RAISING, Endings
from tests.setup.conftest import settle
from tests.support.children import environment
from tests.support.children import run as run_child

# Every step of it, in order.
STEPS: tuple[tuple[Any, str], ...] = (
    (Providers, "open"),
    (Meters, "open"),
    (Endings, "install"),
    (OpenAIInstaller, "install"),
    (OtherInstrumentations, "look"),
    (ThreadPoolPatch, "install"),
    (Providers, "publish"),
    (Meters, "publish"),
)


def ours(hook: Any) -> bool:
    return isinstance(getattr(hook, "__self__", None), setup.Handle)


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is to run at exit, of ours."""
    held: list[Any] = []
    monkeypatch.setattr(atexit, "register", lambda hook: ours(hook) and held.append(hook))
    monkeypatch.setattr(atexit, "unregister", lambda hook: [held.remove(h) for h in list(held) if h == hook])
    return held


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    yield
    runspan.uninstrument()
    settle()


def world(hooks: list[Any]) -> list[Any]:
    """All that others could notice of us."""
    gc.collect()  # handles of other tests
    pool = sys.modules["concurrent.futures.thread"].ThreadPoolExecutor
    return [
        list(sys.meta_path),
        {thread.name for thread in threading.enumerate()},
        vars(openai._base_client.SyncAPIClient)["request"],
        vars(openai._base_client.AsyncAPIClient)["request"],
        vars(pool)["submit"],
        [getattr(module, name) for module, name, _ in RAISING],
        trace.get_tracer_provider(),
        metrics.get_meter_provider(),
        active.now,
        runspan.current_handle(),
        list(hooks),
        len(setup._forks),
    ]


@pytest.mark.parametrize(
    "error", [runspan.ConfigError("no"), RuntimeError("can't start new thread"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("step", range(len(STEPS)), ids=[f"{owner.__name__}.{name}" for owner, name in STEPS])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_whatever_raises_leaves_nothing_behind_and_a_second_try_works(
    step: int,
    late: bool,
    error: BaseException,
    hooks: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import concurrent.futures.thread  # noqa: F401

    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    owner, name = STEPS[step]
    real = getattr(owner, name)

    def raising(self: Any) -> None:
        if late:
            real(self)
        raise error

    before = world(hooks)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, raising)
        with pytest.raises(type(error)):
            runspan.instrument(file=str(tmp_path / "traces.jsonl"), exit_timeout_s=0)
    settle()
    assert world(hooks) == before
    assert list(tmp_path.iterdir()) == []
    handle = runspan.instrument(endpoint="http://127.0.0.1:9", exit_timeout_s=0)
    assert runspan.current_handle() is handle
    assert handle.config.endpoint == "http://127.0.0.1:9"
    assert len(hooks) == 1


def test_making_a_handle_has_no_effects(
    hooks: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "nosuch")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "nosuch")
    before = world(hooks)
    setup.Handle(Config(set_global=True, backend="langfuse", file=str(tmp_path / "f")))
    assert world(hooks) == before
    assert list(tmp_path.iterdir()) == []


OFF: tuple[dict[str, str], ...] = (
    {},
    {"RUNSPAN_ENABLED": "false"},
    {"RUNSPAN_ENABLED": "0", "RUNSPAN_CALLS": "nonsense", "RUNSPAN_PRICES": "{"},
    {"OTEL_SDK_DISABLED": "true", "OTEL_BSP_SCHEDULE_DELAY": "nonsense"},
    {"OTEL_SDK_DISABLED": " TRUE ", "RUNSPAN_ENABLED": "true", "OTEL_TRACES_EXPORTER": "nosuch"},
    {"RUNSPAN_BACKEND": "langfuse", "OTEL_METRICS_EXPORTER": "otlp"},
)


@pytest.mark.parametrize("variables", OFF, ids=lambda variables: ",".join(variables) or "option")
def test_switched_off_nothing_happens_at_all(
    variables: dict[str, str], hooks: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    off = (
        {}
        if any(name in variables for name in ("RUNSPAN_ENABLED", "OTEL_SDK_DISABLED"))
        else {"enabled": False}
    )
    before = world(hooks)
    handle = runspan.instrument(
        set_global=True, backend="langfuse", file=str(tmp_path / "no folder" / "f"), console=True, **off
    )
    assert not handle.config.enabled
    assert handle.stats() == runspan.Stats(errors=handle.stats().errors, degraded=handle.stats().degraded)
    assert handle.flush() is True
    handle.uninstrument()
    assert runspan.flush() is True
    assert world(hooks) == before
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_are_wrong_also_when_off() -> None:
    with pytest.raises(runspan.ConfigError, match="calls"):
        runspan.instrument(enabled=False, calls="nonsense")


def test_a_provider_that_is_global_stays_as_it_was_after_a_failure() -> None:
    """In a process of its own: a global provider can't be taken back."""
    script = """
        import os, threading
        import runspan
        from opentelemetry import metrics, trace

        for variables in ({"OTEL_METRICS_EXPORTER": "nosuch"}, {"OTEL_METRIC_EXPORT_INTERVAL": "abc"}):
            os.environ.update({"OTEL_METRICS_EXPORTER": "console", **variables})
            try:
                runspan.instrument(set_global=True)
            except runspan.ConfigError as error:
                print(error)
            print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__)
            print([thread.name for thread in threading.enumerate()])
        os.environ["OTEL_METRIC_EXPORT_INTERVAL"] = "3600000"
        runspan.instrument(set_global=True, exit_timeout_s=0, endpoint="http://127.0.0.1:9")
        print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__)
        os._exit(0)
    """
    ended = run_child(script, environment())
    lines = ended.out.splitlines()
    assert "nosuch" in lines[0]
    assert "OTEL_METRIC_EXPORT_INTERVAL" in lines[3]
    assert lines[1:3] == lines[4:6] == ["ProxyTracerProvider _ProxyMeterProvider", "['MainThread']"]
    assert lines[6] == "TracerProvider MeterProvider"
    assert ended.err == ""
