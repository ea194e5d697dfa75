"""Spans of an app's own functions at the ends of processes, with no run at all: they arrive, and never hold anybody up."""

from __future__ import annotations

import pytest

from tests.support.children import black_hole, environment, run
from tests.support.receiver import Receiver

STEP = """
    import os, sys, time
    import runspan
    handle = runspan.instrument(exit_timeout_s={deadline}, fetch="never")

    @runspan.observe
    def step(name):
        return name

    step("parent")
    {then}
"""


def names(receiver: Receiver, count: int) -> list[str]:
    return sorted(s.attributes["output.value"] for s in receiver.wait_for_spans(count))


def test_they_arrive_without_a_flush(receiver: Receiver) -> None:
    run(STEP.format(deadline=20, then=""), environment(to=receiver)).check()
    assert names(receiver, 1) == ["parent"]


@pytest.mark.parametrize("leaving", ["sys.exit()", "runspan.flush(20); os._exit(0)"])
def test_forked_workers_of_a_preloaded_app_deliver_theirs(leaving: str, receiver: Receiver) -> None:
    """gunicorn --preload and celery's prefork: instrumented, then forked."""
    then = f"""
    for number in range(3):
        if os.fork() == 0:
            step(f"child {{number}}")
            {leaving}
    for number in range(3):
        assert os.wait()[1] == 0
    """
    run(STEP.format(deadline=20, then=then), environment(to=receiver)).check()
    assert names(receiver, 4) == ["child 0", "child 1", "child 2", "parent"]


def test_a_collector_that_hangs_costs_no_more_than_the_deadline() -> None:
    """An unbounded flush hung a cron job (hermes-agent 87468); an app hung with its collector (opentelemetry-python 2024)."""
    then = """
    begun = time.monotonic()
    print(runspan.flush(timeout=0.5), time.monotonic() - begun < 8)
    print(time.monotonic())
    """
    with black_hole() as endpoint:
        ended = run(STEP.format(deadline=1, then=then), environment(to=endpoint))
    assert ended.code == 0
    assert ended.out.startswith("False True\n")
    assert ended.exit_seconds() < 8
