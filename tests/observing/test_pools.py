"""Jobs of thread pools: our spans know where the job was submitted, spans of others keep the parent that they have without us."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import baggage, context

import runspan
from runspan.fake import SimulatedClock, serve
from runspan.observing import thread_pools
from runspan.runtime import otel_context, tool_claims
from tests.support.playing import client_of
from tests.support.tracing import Traced, attribute

from .trees import span, spans, tree


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@runspan.observe
def step() -> str | None:
    return runspan.current_span_id()


def test_spans_of_others_have_the_parent_that_they_have_without_us(
    traces: Traced, pool: ThreadPoolExecutor
) -> None:
    tracer = traces.provider.get_tracer("app")

    def job() -> None:
        assert context.get_current() == {}
        with tracer.start_as_current_span("of others"):
            step()

    with tracer.start_as_current_span("request"), runspan.span("ours"), runspan.context(session_id="s"):
        pool.submit(job).result()
        pool.submit(step).result()
    assert tree(traces) == [
        ("request", None),
        ("ours", "request"),
        ("of others", None),
        ("step", "of others"),
        ("step", "ours"),
    ]
    assert [attribute(s, "session.id") for s in spans(traces) if s.name == "step"] == ["s", "s"]


def test_spans_of_others_inside_ours_are_below_them_and_see_nothing_else_of_the_submitting_code(
    traces: Traced, pool: ThreadPoolExecutor
) -> None:
    tracer = traces.provider.get_tracer("app")

    def job() -> Any:
        with runspan.span("job"), tracer.start_as_current_span("of others"):
            return baggage.get_all()

    token = context.attach(baggage.set_baggage("tenant", "t"))
    with runspan.span("ours"):
        assert pool.submit(job).result() == {}
    context.detach(token)
    assert tree(traces) == [("ours", None), ("job", "ours"), ("of others", "job")]


def test_what_a_job_asks_of_the_current_span_is_the_submitting_one(
    traces: Traced, pool: ThreadPoolExecutor
) -> None:
    with runspan.span("ours") as ours:
        assert pool.submit(runspan.current_span_id).result() == ours.span_id
        assert pool.submit(runspan.current_trace_id).result() == ours.trace_id
        assert "traceparent" in pool.submit(runspan.handoff, "run_x").result()
        pool.submit(runspan.update, output="said in a job").result()
        pool.submit(runspan.score, "good", True).result()
    assert attribute(span(traces, "ours"), "output.value") == "said in a job"
    assert [event.name for event in span(traces, "ours").events] == ["gen_ai.evaluation.result"]


def test_runs_and_writes_of_a_job_are_below_the_submitting_span(
    traces: Traced, pool: ThreadPoolExecutor
) -> None:
    with serve("text", SimulatedClock()) as server, client_of("OpenAI", server) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Help.")
        with runspan.span("ours"):
            threads = client.beta.threads
            pool.submit(threads.create_and_run_poll, assistant_id=assistant.id).result()
            pool.submit(threads.create).result()
    traces.runs()
    assert {s.name for s in traces.children(span(traces, "ours"))} == {"invoke_agent", "create_thread"}


def test_nothing_of_a_job_stays_in_the_pools_thread(traces: Traced, pool: ThreadPoolExecutor) -> None:
    def leftovers() -> tuple[Any, ...]:
        return otel_context.current(), tool_claims.SEEN.get()

    with runspan.span("ours"):
        pool.submit(step).result()
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 / 0).result()
    assert contextvars.Context().run(pool.submit, leftovers).result() == ({}, ())


class Faulty:
    """A variable of ours, of which one act fails."""

    def __init__(self, variable: contextvars.ContextVar[Any], act: str) -> None:
        self._variable = variable
        self._act = act

    def set(self, value: Any) -> Any:
        assert self._act != "set"
        return self._variable.set(value)

    def reset(self, token: Any) -> None:
        self._variable.reset(token)
        assert self._act != "reset"


def broken() -> Any:
    raise RuntimeError("of ours")


@pytest.mark.expects_swallowed
@pytest.mark.parametrize("act", ["read", "set", "reset"])
@pytest.mark.parametrize("at", range(3))
def test_an_error_of_ours_never_reaches_who_submits(
    traces: Traced, monkeypatch: pytest.MonkeyPatch, swallowed_errors_fail: list[str], at: int, act: str
) -> None:
    ours = list(thread_pools._OURS)
    read, variable = ours[at]
    ours[at] = (broken if act == "read" else read, Faulty(variable, act))  # type: ignore[assignment]
    calls: list[int] = []

    def job(number: int) -> int:
        calls.append(number)
        return number

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(thread_pools, "_OURS", ours)
        done: Future[int] = pool.submit(job, 1)
        assert done.result() == 1
    assert calls == [1]
    assert len(swallowed_errors_fail) == 1


@pytest.mark.parametrize("wrong", [(), ("no function",)])
def test_what_submit_says_of_a_wrong_call_is_what_it_says_without_us(
    traces: Traced, pool: ThreadPoolExecutor, wrong: tuple[Any, ...]
) -> None:
    def said(submit: Callable[..., Any]) -> str:
        with pytest.raises(TypeError) as error:
            submit(*wrong).result()
        return str(error.value)

    with_us = said(pool.submit)
    runspan.uninstrument()
    assert said(pool.submit) == with_us
