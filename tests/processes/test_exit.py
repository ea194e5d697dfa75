"""The end of a process: what is deliverable arrives, once, within the deadline, and without a word."""

from __future__ import annotations

import pytest

from runspan.fake import Server, serve
from tests.support.children import black_hole, environment, nobody, run
from tests.support.otlp import generations, runs, unfinished
from tests.support.receiver import Receiver


def test_a_run_that_lives_at_exit_arrives_as_unfinished(server: Server, receiver: Receiver) -> None:
    ended = run(
        """
        import runspan
        runspan.instrument(exit_timeout_s=20)
        from tests.support import app
        print(app.begin_run(app.client()).id)
        """,
        environment(server, receiver),
    )
    run_id = ended.check().strip()
    assert unfinished(receiver) == {run_id: "shutdown"}
    assert [g.parent_id for g in generations(receiver)] == [runs(receiver)[0].span_id]


@pytest.mark.parametrize("is_shared", [False, True], ids=["", "shared"])
@pytest.mark.parametrize(
    ("asks", "answer"),
    [("", ""), ("stream=True", "HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n\\r\\n")],
    ids=["no answer", "no event"],
)
def test_a_run_of_which_the_server_said_nothing_arrives_as_unfinished(
    asks: str, answer: str, is_shared: bool, receiver: Receiver
) -> None:
    """Unless its identity travels with the request: then the process that sees its end exports it."""
    ended = run(
        f"""
        import socket, threading
        from openai import OpenAI
        server = socket.create_server(("127.0.0.1", 0))
        import runspan
        runspan.instrument(exit_timeout_s=20, propagate_in_metadata={is_shared})
        address = f"http://127.0.0.1:{{server.getsockname()[1]}}"
        threads = OpenAI(base_url=address, api_key="none", max_retries=0).beta.threads
        def ask():
            for event in threads.create_and_run(assistant_id="asst_1", {asks}):
                raise AssertionError(event)
        threading.Thread(target=ask, daemon=True).start()
        connection, _ = server.accept()
        connection.recv(1)
        connection.sendall(b"{answer}")
        connection.detach(), server.detach()  # they stay open
        """,
        environment(to=receiver),
    )
    ended.check()
    if is_shared:
        assert receiver.spans == ()
        return
    (span,), (generation,) = runs(receiver), generations(receiver)
    assert span.attributes["runspan.run.unfinished"] == "shutdown"
    assert span.attributes["gen_ai.agent.id"] == "asst_1"
    assert generation.parent_id == span.span_id


def test_a_run_that_is_over_at_exit_does_not_linger(receiver: Receiver) -> None:
    with serve("text") as server:
        ended = run(
            """
            import time
            import runspan
            runspan.instrument(linger_s=600, exit_timeout_s=20)
            from tests.support import app
            print(app.whole_run(app.client()).id)
            print(time.monotonic())
            """,
            environment(server, receiver),
        )
    assert [s.attributes["runspan.run.id"] for s in runs(receiver)] == [ended.check().split()[0]]
    assert unfinished(receiver) == {}
    assert ended.exit_seconds() < 10


def test_a_black_hole_holds_the_exit_no_longer_than_the_deadline(server: Server) -> None:
    with black_hole() as endpoint:
        ended = run(
            """
            import time
            import runspan
            runspan.instrument(exit_timeout_s=1)
            from tests.support import app
            app.begin_run(app.client())
            print(time.monotonic())
            """,
            environment(server, endpoint),
        )
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert ended.exit_seconds() < 8


def test_an_endpoint_that_refuses_costs_one_line_with_the_cure(server: Server) -> None:
    with nobody() as endpoint:
        ended = run(
            """
            import time
            import runspan
            runspan.instrument(exit_timeout_s=2)
            from tests.support import app
            app.begin_run(app.client())
            print(time.monotonic())
            """,
            environment(server, endpoint),
        )
        assert ended.code == 0
        (line,) = ended.err.splitlines()
        assert endpoint.removeprefix("http://") in line
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in line
        assert ended.exit_seconds() < 9


def test_a_name_server_that_does_not_answer_holds_the_exit_no_longer_than_the_deadline() -> None:
    ended = run(
        """
        import socket, time
        import runspan
        real = socket.getaddrinfo
        def getaddrinfo(host, *rest, **named):
            if host == "collector.test":
                time.sleep(600)
            return real(host, *rest, **named)
        socket.getaddrinfo = getaddrinfo
        runspan.instrument(exit_timeout_s=0.1)
        with runspan.span("work"):
            pass
        """,
        environment(to="http://collector.test:4318"),
    )
    assert ended.code == 0
    assert "cannot send 1 span to collector.test:4318." in ended.err


def test_a_provider_that_is_set_after_instrument_has_its_spans_before_it_shuts_down(
    server: Server, receiver: Receiver
) -> None:
    """Exit hooks run last-registered first: the provider's is younger than instrument(), and must not run first."""
    ended = run(
        """
        import os
        import runspan
        runspan.instrument(exit_timeout_s=20)
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(os.environ["APP_COLLECTOR"] + "/v1/traces")))
        trace.set_tracer_provider(provider)
        from tests.support import app
        print(app.begin_run(app.client()).id)
        """,
        environment(server, APP_COLLECTOR=receiver.endpoint),
    )
    assert unfinished(receiver) == {ended.check().strip(): "shutdown"}


def test_three_thousand_runs_alive_at_exit_arrive_once_each(receiver: Receiver) -> None:
    ended = run(
        """
        import runspan
        runspan.instrument(fetch="never", exit_timeout_s=20)
        from tests.support import app
        app.begin_runs(app.canned_client(), 3_000)
        """,
        environment(to=receiver),
    )
    ended.check()
    assert unfinished(receiver) == {f"run_{n}": "shutdown" for n in range(1, 3_001)}
    assert len(runs(receiver)) == len(generations(receiver)) == 3_000


def test_looking_at_live_runs_once_more_leaves_time_to_deliver_them(receiver: Receiver) -> None:
    """Five GETs a second would take twenty seconds; the deadline is four."""
    ended = run(
        """
        import runspan
        runspan.instrument(exit_timeout_s=4)
        from tests.support import app
        app.begin_runs(app.canned_client(), 100)
        """,
        environment(to=receiver),
    )
    ended.check()
    assert unfinished(receiver) == {f"run_{n}": "shutdown" for n in range(1, 101)}
    assert len(runs(receiver)) == 100


def test_an_app_without_a_run_exits_at_once_and_never_had_a_thread_of_ours() -> None:
    with nobody() as endpoint:
        ended = run(
            """
            import threading
            import time
            import runspan
            runspan.instrument(exit_timeout_s=30)
            import openai
            openai.OpenAI(api_key="none")
            print([t.name for t in threading.enumerate() if "runspan" in t.name.lower() or "otel" in t.name.lower()])
            print(time.monotonic())
            """,
            environment(to=endpoint),
        )
    assert ended.check().startswith("[]\n")
    assert ended.exit_seconds() < 15


def test_flush_tells_whether_everything_is_out(server: Server, receiver: Receiver) -> None:
    script = """
        import time
        import runspan
        runspan.instrument(exit_timeout_s=0.5)
        from tests.support import app
        server = app.client()
        run = app.begin_run(server)
        server.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
        while server.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "cancelled":
            time.sleep(0.01)
        begun = time.monotonic()
        print(runspan.flush(timeout=1.0), time.monotonic() - begun < 8)
        """
    with black_hole() as endpoint:
        lost = run(script, environment(server, endpoint))
    assert (lost.code, lost.out.strip()) == (0, "False True")
    assert "Traceback" not in lost.err
    assert run(script, environment(server, receiver)).check().strip() == "True True"
    assert len(runs(receiver)) == 1
