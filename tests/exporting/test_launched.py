"""At the end of an app that the launcher started: exporters that nobody hears are ended, all others are left alone.

In processes of their own, because all exporters of a process are looked at.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.children import environment, nobody, run
from tests.support.receiver import serve

HEAD = """
    import json, logging, os, threading, time
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
    from runspan.exporting.launched import end_refused
    from tests.exporting.made import spans
    from tests.support.children import PATIENCE_S

    said = []
    class Said(logging.Handler):
        def emit(self, record):
            said.append(f"{record.name}: {record.getMessage()}")
    logging.getLogger().addHandler(Said(logging.WARNING))

    class Odd(type):
        '''A class that is asked for its module answers nonsense, and for its name raises.'''
        __module__ = property(lambda cls: object())
        __name__ = property(lambda cls: 1 / 0)
    odd = Odd("Odd", (), {})()
    WHERE = os.environ["WHERE"]
"""
TAIL = """
    print(json.dumps([results, said]))
"""


pytestmark = pytest.mark.wide


def told(script: str, where: str) -> tuple[list[Any], list[str]]:
    """What the exports came to, and what was logged."""
    results, said = json.loads(run(HEAD + script + TAIL, environment(WHERE=where)).check())
    return results, said


def test_an_export_that_tries_again_is_given_up_and_said_once() -> None:
    """Over gRPC, as the launcher's; the oldest exporter over HTTP does not try a refused connection again."""
    script = """
    exporter = Grpc(endpoint=WHERE, timeout=600)
    results = []
    trying = threading.Thread(target=lambda: results.append(exporter.export(spans({})).name))
    trying.start()
    until = time.monotonic() + PATIENCE_S
    while not any("retrying" in line for line in said) and time.monotonic() < until:
        time.sleep(0.01)
    end_refused()
    trying.join(PATIENCE_S)
    """
    with nobody() as address:
        results, said = told(script, address)
    assert results == ["FAILURE"]
    assert "aborting retry" in "\n".join(said)
    (line,) = [line for line in said if line.startswith("runspan: ")]
    assert line.startswith(f"runspan: runspan: nothing listens at {address.removeprefix('http://')}; ")


@pytest.mark.parametrize("kind", ["Grpc", "Http"])
def test_after_it_nothing_is_tried_and_nothing_else_is_said(kind: str) -> None:
    script = f"""
    exporter = {kind}(endpoint=WHERE, timeout=600)
    end_refused()
    results = [exporter.export(spans({{}})).name]
    exporter.shutdown()
    """
    with nobody() as address:
        results, said = told(script, address)
    assert results == ["FAILURE"]
    assert [line.partition(":")[0] for line in said] == ["runspan"]


def test_an_exporter_that_is_heard_goes_on() -> None:
    script = """
    exporter = Http(endpoint=f"{WHERE}/v1/traces")
    end_refused()
    results = [exporter.export(spans({})).name]
    exporter.shutdown()
    """
    with serve() as receiver:
        assert told(script, receiver.endpoint) == (["SUCCESS"], [])
        assert len(receiver.spans) == 1
