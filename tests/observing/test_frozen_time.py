"""Tests of apps freeze the clock: spans still last as long as they last, and no wait of ours goes on for ever."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import runspan
from runspan.fake import SimulatedClock, serve
from tests.support.children import run
from tests.support.playing import client_of
from tests.support.tracing import Traced

from .trees import span, spans

AT_S = 1_577_836_800  # 2020-01-01
SOURCES = Path(runspan.__file__).parent
FROZEN: dict[str, Callable[[], Any]] = {
    "time": lambda: float(AT_S),
    "time_ns": lambda: AT_S * 10**9,
    "monotonic": lambda: float(AT_S),
    "monotonic_ns": lambda: AT_S * 10**9,
    "perf_counter": lambda: float(AT_S),
    "perf_counter_ns": lambda: AT_S * 10**9,
}


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As freezegun does it: wherever a module has one of these functions under a name."""
    real = {id(getattr(time, name)): fake for name, fake in FROZEN.items()}
    with monkeypatch.context() as patching:
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith(("time", "runspan", "opentelemetry")):
                for name, value in list(vars(module).items()):
                    if id(value) in real:
                        patching.setattr(module, name, real[id(value)])
        assert time.time() == AT_S
        yield


def work() -> int:
    return sum(range(50_000))


def lasted(of: Any) -> int:
    return int(of.end_time - of.start_time)


def test_spans_last_as_long_as_they_last(traces: Traced, frozen: None) -> None:
    with runspan.span("outer"):
        with runspan.span("inner"):
            work()
        work()
    inner, outer = spans(traces)
    assert inner.start_time == outer.start_time == AT_S * 10**9  # as the app's own clock says
    assert 0 < lasted(inner) < lasted(outer) < 60 * 10**9


def test_a_clock_that_is_set_back_makes_no_negative_span(
    traces: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runspan.span("turn"):
        work()
        monkeypatch.setattr(time, "time_ns", FROZEN["time_ns"])
    assert 0 < lasted(span(traces, "turn")) < 60 * 10**9


def test_a_clock_that_goes_on_while_the_computer_sleeps_is_followed(
    traces: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after the sleep lies inside."""
    later_ns = time.time_ns() + 3_600 * 10**9
    with runspan.span("turn"):
        monkeypatch.setattr(time, "time_ns", lambda: later_ns)
    assert span(traces, "turn").end_time == later_ns


def test_runs_are_seen_through_and_flushed(traces: Traced, frozen: None) -> None:
    with serve("text", SimulatedClock()) as server, client_of("OpenAI", server) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Help.")
        thread = {"messages": [{"role": "user", "content": "Hi?"}]}
        run = client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread)
        while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "completed":
            pass
        client.beta.threads.messages.list(run.thread_id)
    assert 0 <= lasted(traces.run()) < 60 * 10**9


SCRIPT = """
import time
for name in ("time_ns", "perf_counter_ns", "monotonic_ns"):
    setattr(time, name, lambda: 1577836800 * 10**9)
for name in ("time", "perf_counter", "monotonic"):
    setattr(time, name, lambda: 1577836800.0)
from runspan.runtime import clock
before = clock.now_ns(), clock.monotonic_s()
sum(range(100_000))
print(clock.now_ns() > before[0], clock.monotonic_s() > before[1])
"""


def test_it_may_be_imported_while_the_clock_is_frozen() -> None:
    assert run(SCRIPT).check() == "True True\n"


def _reads_a_clock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
        and node.attr in FROZEN
    )


def test_only_one_module_reads_the_shared_clock() -> None:
    """`time.time_ns` is also read where the app's own wall clock is meant."""
    apart = ("cli", "viewer", "fake", "testing")  # their own processes
    files = [f for f in SOURCES.rglob("*.py") if f.relative_to(SOURCES).parts[0] not in apart]
    found = {
        (str(f.relative_to(SOURCES)), node.attr)
        for f in files
        for node in ast.walk(ast.parse(f.read_text()))
        if _reads_a_clock(node) and isinstance(node, ast.Attribute)
    }
    assert {what for where, what in found if where != "runtime/clock.py"} <= {"time_ns"}
