"""logfire's and ddtrace's tracer providers as the app's: no orphan, nothing missing, parents right, whatever the parent span is.

Each provider is global and patches its process, so each case runs in a child.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import pytest

from runspan.fake import Server, serve
from tests.support.children import environment, run

# Each ends with `finished()`: [(name, trace id, span id, parent id or 0)] of all that was exported, and `attributes()` by name.
LOGFIRE = """
    import logfire
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exported = InMemorySpanExporter()
    logfire.configure(
        send_to_logfire=False, console=False, inspect_arguments=False, metrics=False,
        additional_span_processors=[SimpleSpanProcessor(exported)], sampling=SAMPLING,
    )
    from opentelemetry import trace

    def finished():
        trace.get_tracer_provider().force_flush()
        done = [s for s in exported.get_finished_spans() if (s.attributes or {}).get("logfire.span_type") != "pending_span"]
        return [(s.name, s.context.trace_id, s.context.span_id, s.parent.span_id if s.parent else 0) for s in done]

    def attributes():
        done = [s for s in exported.get_finished_spans() if s.attributes.get("logfire.span_type") != "pending_span"]
        return {s.name: dict(s.attributes) for s in done}
"""
DDTRACE = """
    import os
    off = ("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "DD_REMOTE_CONFIGURATION_ENABLED", "DD_TRACE_STARTUP_LOGS")
    os.environ.update(dict.fromkeys(off, "false"), DD_TRACE_OTEL_ENABLED="true", DD_TRACE_AGENT_URL="http://127.0.0.1:1")
    import ddtrace
    from ddtrace.opentelemetry import TracerProvider
    from ddtrace.trace import TraceFilter
    from ddtrace.trace import tracer as datadog
    from opentelemetry import trace
    kept = []

    class Keep(TraceFilter):
        def process_trace(self, spans):
            kept.extend(spans)
            return None

    datadog.configure(trace_processors=[Keep()])
    trace.set_tracer_provider(TracerProvider())

    def finished():
        datadog.flush()
        low = (1 << 64) - 1  # the trace ids are cut in the test, too
        return [(s.resource, s.trace_id & low, s.span_id, s.parent_id or 0) for s in kept]

    def attributes():
        datadog.flush()
        return {s.resource: s.get_tags() for s in kept}
"""
PROVIDERS = {"logfire": LOGFIRE, "ddtrace": DDTRACE}

CASES = {
    "under a span": """
        with tracer.start_as_current_span("of the app") as parent:
            run = app.whole_run(client)
    """,
    "under one that has ended": """
        with tracer.start_as_current_span("of the app") as parent:
            parent.end()
            run = app.whole_run(client)
    """,
    "under one that ends before the run": """
        with tracer.start_as_current_span("of the app") as parent:
            run = app.begin_run(client)
        while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "completed": pass
        client.beta.threads.messages.list(run.thread_id)
    """,
    "at top level": """
        parent = None
        run = app.whole_run(client)
    """,
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("text") as server:
        yield server


def traced(provider: str, case: str, server: Server, sampling: str = "None") -> dict[str, Any]:
    if not importlib.util.find_spec(provider):
        pytest.skip(f"{provider} is not installed")
    script = "\n".join(
        [
            *(line[4:] for line in PROVIDERS[provider].replace("SAMPLING", sampling).splitlines()),
            "import json, runspan",
            'handle = runspan.instrument(fetch="never", exit_timeout_s=20)',
            "from tests.support import app",
            "client = app.client()",
            'tracer = trace.get_tracer("app")',
            *(line[8:] for line in case.splitlines()),
            "ok = runspan.flush(20)",
            "if parent is not None and parent.is_recording(): parent.end()",
            "context = parent.get_span_context() if parent else None",
            "print(json.dumps({'ok': ok, 'spans': finished(), 'parent': context.span_id if context else 0,"
            " 'stats': [handle.stats().started, handle.stats().unrecorded], 'errors': handle.stats().errors}))",
        ]
    )
    ended = run(script, environment(server), strict=False)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    assert found["ok"] is True
    assert found["errors"] == {}
    return found


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_orphan_and_none_missing(provider: str, case: str, server: Server) -> None:
    found = traced(provider, CASES[case], server)
    spans = {span_id: (name, trace_id, parent_id) for name, trace_id, span_id, parent_id in found["spans"]}
    by_name = {name: span_id for span_id, (name, _, _) in spans.items()}
    run_id, generation_id = by_name["invoke_agent Math Tutor"], by_name["chat gpt-4o"]
    assert spans[generation_id][2] == run_id
    # ddtrace takes no span that has ended for a parent: its run is a root then.
    assert spans[run_id][2] in (
        found["parent"],
        0 if (provider, case) == ("ddtrace", "under one that has ended") else None,
    )
    assert spans[generation_id][1] == spans[run_id][1]
    orphans = [name for name, _, parent_id in spans.values() if parent_id and parent_id not in spans]
    assert orphans == []
    assert len([name for name, _, _ in spans.values() if name == "invoke_agent Math Tutor"]) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_under_a_non_recording_parent_nothing_is_orphaned(provider: str, server: Server) -> None:
    """A remote parent as a web framework leaves it: its span is elsewhere, its ids are ours to keep."""
    case = """
        remote = trace.SpanContext(0x1234, 0x5678, is_remote=True, trace_flags=trace.TraceFlags(1))
        parent = trace.NonRecordingSpan(remote)
        with trace.use_span(parent):
            run = app.whole_run(client)
    """
    found = traced(provider, case, server)
    spans = {name: (trace_id, span_id, parent_id) for name, trace_id, span_id, parent_id in found["spans"]}
    run_span, generation = spans["invoke_agent Math Tutor"], spans["chat gpt-4o"]
    assert (run_span[0], run_span[2]) == (0x1234, 0x5678)
    assert (generation[0], generation[2]) == (0x1234, run_span[1])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_runs_one_after_the_other_are_not_inside_each_other(provider: str, server: Server) -> None:
    """ddtrace's `detach` does nothing: what we made current for a POST must be taken back all the same."""
    case = """
        parent = None
        app.begin_run(client)
        app.begin_run(client)
        with tracer.start_as_current_span("of the app") as parent:
            app.begin_run(client)
            app.begin_run(client)
        runspan.uninstrument()
    """
    found = traced(provider, case, server)
    parents = [parent_id for name, _, _, parent_id in found["spans"] if name == "invoke_agent Math Tutor"]
    assert sorted(parents) == sorted([0, 0, found["parent"], found["parent"]])


def test_logfires_sampling_keeps_or_drops_whole_traces(server: Server) -> None:
    case = """
        parent = None
        client = app.canned_client()
        for _ in range(200):
            with tracer.start_as_current_span("of the app"):
                app.begin_runs(client, 1)
        runspan.uninstrument()
    """
    found = traced("logfire", case, server, "logfire.SamplingOptions(head=0.2)")
    spans = found["spans"]
    ids = {span_id for _, _, span_id, _ in spans}
    assert [name for name, _, _, parent_id in spans if parent_id and parent_id not in ids] == []
    names = [name for name, _, _, _ in spans]
    assert 5 < names.count("of the app") < 100
    assert sum(name.startswith("chat") for name in names) == names.count("of the app")
    assert len(names) == 3 * names.count("of the app")
