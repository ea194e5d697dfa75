"""Where spans go: the app's provider, else one of ours that nobody else sees. A process has one global provider, so: children."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from runspan.fake import Server
from tests.support.children import environment, nobody, run
from tests.support.otlp import run_ids, runs
from tests.support.receiver import Receiver

GLOBAL = """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    theirs = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(theirs))
"""
USE = """
    from tests.support import app
    with app.client() as client:
        app.begin_run(client)
"""
END = """
    runspan.uninstrument()
    print(sorted(span.name for span in theirs.get_finished_spans()))
"""
BOTH = "['chat gpt-4o', 'invoke_agent Math Tutor']"


def test_the_apps_global_provider_gets_the_spans(server: Server, receiver: Receiver) -> None:
    script = (
        GLOBAL
        + "    trace.set_tracer_provider(provider)\n    import runspan\n    runspan.instrument()\n"
        + USE
        + END
    )
    assert run(script, environment(server, receiver)).check().strip() == BOTH
    assert receiver.requests == ()


def test_also_one_that_was_set_after_instrument(server: Server, receiver: Receiver) -> None:
    script = (
        "    import runspan\n    runspan.instrument()\n"
        + GLOBAL
        + "    trace.set_tracer_provider(provider)\n"
        + USE
        + END
    )
    assert run(script, environment(server, receiver)).check().strip() == BOTH
    assert receiver.requests == ()


def test_a_run_stays_with_the_provider_it_began_on(server: Server, receiver: Receiver) -> None:
    """The first run begins on ours, the second on the app's; both end after the change."""
    script = (
        "    import runspan\n    runspan.instrument(exit_timeout_s=20)\n"
        + USE
        + GLOBAL
        + "    trace.set_tracer_provider(provider)\n"
        + USE
        + END
    )
    assert run(script, environment(server, receiver)).check().strip() == BOTH
    assert len(runs(receiver)) == 1


def test_ours_is_private_and_leaves_the_global_place_to_the_app(server: Server, receiver: Receiver) -> None:
    script = (
        "    import runspan\n    runspan.instrument(exit_timeout_s=20)\n"
        + USE
        + "    from opentelemetry import trace\n    print(type(trace.get_tracer_provider()).__name__)\n"
        + GLOBAL
        + "    trace.set_tracer_provider(provider)\n    print(trace.get_tracer_provider() is provider)\n"
    )
    ended = run(script, environment(server, receiver))
    assert ended.check().split() == ["ProxyTracerProvider", "True"]
    assert len(runs(receiver)) == 1


def test_set_global_makes_ours_the_one_of_the_app(server: Server, receiver: Receiver) -> None:
    script = """
        import runspan
        runspan.instrument(set_global=True, exit_timeout_s=20)
        from opentelemetry import trace
        from tests.support import app
        with trace.get_tracer("app").start_as_current_span("of the app"):
            app.begin_run(app.client())
    """
    run(script, environment(server, receiver)).check()
    (root,) = [span for span in receiver.spans if span.name == "of the app"]
    assert [span.parent_id for span in runs(receiver)] == [root.span_id]


def test_set_global_beside_a_provider_of_the_app_leaves_that_alone(
    server: Server, receiver: Receiver
) -> None:
    script = (
        GLOBAL
        + "    trace.set_tracer_provider(provider)\n    import runspan\n    runspan.instrument(set_global=True)\n"
        + USE
        + END
    )
    assert run(script, environment(server, receiver)).check().strip() == BOTH


def test_a_no_op_provider_of_the_app_is_its_wish() -> None:
    """Whatever it means for us, nothing breaks and nothing is said."""
    script = """
        from opentelemetry import trace
        trace.set_tracer_provider(trace.NoOpTracerProvider())
        import runspan
        runspan.instrument()
        print(runspan.flush(1))
        """
    assert run(script).check() == "True\n"


def test_tracer_provider_as_an_option_beats_the_global_one(server: Server) -> None:
    script = (
        GLOBAL
        + """
    other = InMemorySpanExporter()
    mine = TracerProvider(shutdown_on_exit=False)
    mine.add_span_processor(SimpleSpanProcessor(other))
    trace.set_tracer_provider(provider)
    import runspan
    runspan.instrument(tracer_provider=mine)
"""
        + USE
        + END
        + "    print(len(other.get_finished_spans()))\n"
    )
    assert run(script, environment(server)).check().splitlines() == ["[]", "2"]


def test_a_sampler_of_ours_keeps_or_drops_whole_traces(server: Server, receiver: Receiver) -> None:
    script = """
        import runspan
        handle = runspan.instrument(exit_timeout_s=20, fetch="never")
        from tests.support import app
        app.begin_runs(app.canned_client(), 400)
        runspan.flush(20)
        print(handle.stats().started, handle.stats().unrecorded)
    """
    env = environment(
        server, receiver, OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0.1"
    )
    started, unrecorded = map(int, run(script, env).check().split())
    assert started + unrecorded == 400
    assert 5 < started < 100
    assert len(run_ids(receiver)) == started
    assert len({span.trace_id for span in receiver.spans}) == started
    assert len(receiver.spans) == 2 * started


def test_an_endpoint_that_does_not_answer_costs_one_warning_not_one_a_batch(server: Server) -> None:
    script = """
        import runspan
        handle = runspan.instrument(exit_timeout_s=1, fetch="never")
        from tests.support import app
        client = app.client()
        for _ in range(3):
            run = app.begin_run(client)
            client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
            while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "cancelled": pass
            runspan.flush(10)
        print(handle.stats().dropped)
    """
    with nobody() as endpoint:
        ended = run(script, environment(server, endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="1"))
    assert ended.code == 0
    (line,) = ended.err.splitlines()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in line
    assert ended.out.strip() == "{'export_failed_spans': 6}"


def test_a_receiver_that_comes_back_is_complained_of_anew_when_it_goes_again() -> None:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from runspan.exporting.loss_reporting import CarefulExporter

    class Moody(SpanExporter):
        answers = iter("FFSFES")

        def export(self, spans: Any) -> SpanExportResult:
            match next(self.answers):
                case "S":
                    return SpanExportResult.SUCCESS
                case "F":
                    return SpanExportResult.FAILURE
            raise OSError("broken")

    careful = CarefulExporter("http://there", Moody())
    said: list[str] = []
    import logging

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logging.getLogger("runspan").addHandler(handler := Listening())
    try:
        results = [careful.export([None, None]) for _ in range(6)]  # type: ignore[list-item]
    finally:
        logging.getLogger("runspan").removeHandler(handler)
    assert [result.name[0] for result in results] == ["F", "F", "S", "F", "F", "S"]
    assert len(said) == 2
    assert careful.failed == 8


def test_a_provider_without_force_flush_is_fine() -> None:
    """The API asks for `get_tracer` only."""
    from tests.support.app import begin_runs, canned_client
    from tests.support.tracing import traced

    exporter = InMemorySpanExporter()
    inner = TracerProvider(shutdown_on_exit=False)
    inner.add_span_processor(SimpleSpanProcessor(exporter))

    class Bare:
        get_tracer = inner.get_tracer

    with traced(tracer_provider=Bare()) as spans:
        begin_runs(canned_client(), 1)
        assert spans.handle.flush(10)
    assert len(exporter.get_finished_spans()) == 2
