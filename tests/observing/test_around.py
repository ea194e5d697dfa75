"""The decorator among samplers, providers, forks and switches."""

from __future__ import annotations

import gc
import os
import re
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import runspan
from runspan.fake import SimulatedClock, serve
from tests.support.playing import client_of
from tests.support.tracing import Traced, traced

from .trees import spans, tree


@runspan.observe
def step(x: Any) -> str | None:
    return runspan.current_span_id()


@runspan.observe
def letters() -> Iterator[str | None]:
    yield runspan.current_span_id()


def test_under_an_unsampled_parent_nothing_is_made_and_nothing_changes() -> None:
    parent = SpanContext(1, 2, False, TraceFlags(0))
    with traced(ParentBased(ALWAYS_ON)) as traces, trace.use_span(NonRecordingSpan(parent)):
        assert step(1) == trace.format_span_id(2)
        assert list(letters()) == [trace.format_span_id(2)]
        assert type(letters()).__name__ == "generator"
        runspan.update(output=1)
        assert spans(traces) == []


def test_an_unsampled_root_keeps_its_children_unsampled() -> None:
    @runspan.observe
    def root() -> None:
        assert not trace.get_current_span().is_recording()
        assert runspan.current_trace_id() is not None
        step(1), list(letters())

    with traced(ParentBased(ALWAYS_OFF)) as traces:
        root()
        assert spans(traces) == []


def test_a_sampler_of_the_app_is_asked_with_the_attributes() -> None:
    class Tools(Sampler):
        def should_sample(
            self,
            parent_context: Any,
            trace_id: int,
            name: str,
            kind: Any = None,
            attributes: Any = None,
            *_: Any,
            **__: Any,
        ) -> SamplingResult:
            is_wanted = (attributes or {}).get("team") == "maths"
            return SamplingResult(Decision.RECORD_AND_SAMPLE if is_wanted else Decision.DROP, attributes)

        def get_description(self) -> str:
            return "tools"

    with traced(Tools()) as traces:
        with runspan.span("dropped"), runspan.span("kept", attributes={"team": "maths"}):
            pass
        assert [s.name for s in spans(traces)] == ["kept"]


def test_the_apps_provider_gets_only_its_own_spans_and_keeps_its_processors() -> None:
    """SDKs that take over the global provider (langfuse 7212, openllmetry 3414)."""
    before = trace.get_tracer_provider()
    with traced() as traces:
        step(1)
        assert trace.get_tracer_provider() is before
        assert len(spans(traces)) == 1


def test_app_spans_and_observed_spans_nest_either_way(traces: Traced) -> None:
    tracer = traces.provider.get_tracer("app")
    with tracer.start_as_current_span("app"), runspan.span("ours"), tracer.start_as_current_span("inner"):
        runspan.update(attributes={"k": "v"})  # of ours, not of the app's
        step(1)
    assert tree(traces) == [("app", None), ("ours", "app"), ("inner", "ours"), ("step", "inner")]
    assert {s.name for s in spans(traces) if (s.attributes or {}).get("k")} == {"ours"}


def test_what_the_app_sets_on_our_span_itself_stays(traces: Traced) -> None:
    with runspan.span("turn", input="x"):
        trace.get_current_span().set_attribute("openinference.span.kind", "AGENT")
    assert (spans(traces)[0].attributes or {})["openinference.span.kind"] == "AGENT"


def test_a_span_open_across_uninstrument_is_ended() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    runspan.instrument(tracer_provider=provider, fetch="never")
    with runspan.span("open"):
        runspan.uninstrument()
        step(1)
    assert [s.name for s in exporter.get_finished_spans()] == ["open"]


def test_nothing_is_kept_of_a_call_that_is_over(traces: Traced) -> None:
    """No cycle either: what a call held goes when it returns, not when the collector comes."""

    class Held:
        pass

    gc.disable()
    try:
        held = Held()
        seen = weakref.ref(held)
        step(held)
        del held
        assert seen() is None
    finally:
        gc.enable()


def test_pools_are_as_they_were_after_uninstrument() -> None:
    before = vars(ThreadPoolExecutor)["submit"]
    with traced():
        assert vars(ThreadPoolExecutor)["submit"] is not before
    assert vars(ThreadPoolExecutor)["submit"] is before


def test_a_forked_child_leaves_its_parents_open_spans_to_the_parent(traces: Traced) -> None:
    with runspan.span("parent") as parent:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            with runspan.span("child"):
                pass
            parent.__exit__(None, None, None)
            names = [s.name for s in traces.exporter.get_finished_spans()]
            os.write(write, ",".join(names).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(read, 100) == b"child"
        os.close(read)
        os.close(write)
    assert [s.name for s in spans(traces)] == ["parent"]


def test_console_prints_a_tree_when_the_root_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    with traced(console=True):
        with runspan.span("root"):
            step(1)
            assert capsys.readouterr().out == ""
        out = capsys.readouterr().out
        assert re.search(r"chain.* root\b", out)
        assert re.search(r"└─ .*step", out)
    step(1)
    assert capsys.readouterr().out == ""


def test_console_waits_for_a_run_that_outlives_its_function(capsys: pytest.CaptureFixture[str]) -> None:
    @runspan.observe
    def ask(client: Any) -> Any:
        assistant = client.beta.assistants.create(model="gpt-4o", name="Tutor", instructions="Help.")
        thread = client.beta.threads.create()
        return client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)

    with (
        serve("text", SimulatedClock()) as server,
        client_of("OpenAI", server) as client,
        traced(console=True) as traces,
    ):
        run = ask(client)
        assert capsys.readouterr().out == ""
        while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "completed":
            pass
        client.beta.threads.messages.list(run.thread_id)
        assert traces.run()
        out = capsys.readouterr().out
    ask_at, run_at, chat_at = (out.index(name) for name in ("ask", "invoke_agent Tutor", "chat gpt-4o"))
    assert ask_at < run_at < chat_at
    assert out.count("invoke_agent Tutor") == 1
