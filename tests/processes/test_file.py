"""`file=` with several processes, and beside a provider of the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from runspan.viewer.decode import JSON
from runspan.viewer.spans import Span
from tests.support.children import environment, finish, start
from tests.support.receiver.signals import TRACES, decode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.jsonl"


def test_processes_and_their_forks_share_one_file(path: Path) -> None:
    script = """
        import os, sys
        import runspan
        runspan.instrument(exit_timeout_s=60, fetch="never")
        from tests.support import app
        app.begin_runs(app.canned_client(), 30)
        child = os.fork()
        app.begin_runs(app.canned_client(), 30)
        if child:
            sys.exit(os.waitpid(child, 0)[1])
        runspan.flush(60)
    """
    env = environment(RUNSPAN_FILE=str(path), OTEL_BSP_MAX_EXPORT_BATCH_SIZE="7")
    children = [start(script, env) for _ in range(2)]
    for child in children:
        assert finish(child).code == 0
    found = [
        decode(TRACES, line, JSON) for line in path.read_bytes().splitlines()
    ]  # a torn line does not decode
    spans = [span for line in found for span in line if isinstance(span, Span)]
    assert len({span.span_id for span in spans}) == len(spans)
    assert len([span for span in spans if span.name == "invoke_agent"]) == 2 * (30 + 30 + 30)


def test_a_child_that_is_forked_in_the_midst_of_a_write_goes_on_with_the_global_provider(path: Path) -> None:
    """No lock of the exporter's own is held for ever in the child."""
    script = """
        import os, threading
        import runspan
        runspan.instrument(exit_timeout_s=60, set_global=True)
        parent, is_writing, may_go_on, write = os.getpid(), threading.Event(), threading.Event(), os.write

        def slow_disk(fd, data):
            if os.getpid() == parent:
                is_writing.set()
                may_go_on.wait()
            return write(fd, data)

        os.write = slow_disk
        with runspan.span("of the parent"):
            pass
        is_writing.wait()
        child = os.fork()
        if not child:
            with runspan.span("of the child"):
                pass
            os._exit(0 if runspan.flush(20) else 3)
        status = os.waitpid(child, 0)[1]
        may_go_on.set()
        os._exit(status or not runspan.flush(60))
    """
    assert finish(start(script, environment(RUNSPAN_FILE=str(path)))).code == 0
    names = [span.name for line in path.read_bytes().splitlines() for span in decode(TRACES, line, JSON)]
    assert sorted(names) == ["of the child", "of the parent"]


def test_beside_a_global_provider_of_the_app_it_says_that_it_is_for_nothing(path: Path) -> None:
    script = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
        import runspan
        runspan.instrument()
    """
    ended = finish(start(script, environment(RUNSPAN_FILE=str(path))))
    assert ended.code == 0
    assert "nothing is written" in ended.err
