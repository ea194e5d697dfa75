"""Three real processes: one creates a run, one polls it and answers its tools, one reads it. One trace, one run span."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runspan.fake import FunctionCall, Message, Scenario, Server, Tools, Usage, serve
from runspan.viewer.spans import Span
from tests.support.children import PATIENCE_S, ROOT, STRICT, environment
from tests.support.otlp import generations, of, run_ids, runs, unfinished
from tests.support.receiver import Receiver

ASKING = Scenario(
    phases=(
        Tools((FunctionCall("get_weather", '{"city":"Paris"}'),), seconds=0.05, usage=Usage(200, 20)),
        Message("It is 12 °C.", seconds=0.05, usage=Usage(400, 30)),
    ),
    queue_s=0.05,
    poll_after_ms=1,
)
CARRIED = "runspan"


class Child:
    """A process that takes orders."""

    def __init__(self, env: dict[str, str], module: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *STRICT, "-m", module],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def do(self, step: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([step, order or {}]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the child has died\n{self.process.communicate()[1]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def end(*children: Child) -> None:
    """By the end of their orders, all at once, with nothing to complain of."""
    for child in children:
        assert child.process.stdin is not None
        child.process.stdin.close()
        child.process.stdin = None
    for child in children:
        _, err = child.process.communicate(timeout=PATIENCE_S)
        assert (child.process.returncode, err) == (0, "")


Start = Callable[..., Child]


@pytest.fixture
def asking() -> Iterator[Server]:
    with serve(ASKING) as server:
        yield server


def starting(server: Server, receiver: Receiver, module: str = "tests.processes.relay") -> Iterator[Start]:
    """What starts a child with a name and options; none outlives the test."""
    children: list[Child] = []

    def start(name: str, **options: Any) -> Child:
        env = environment(server, receiver, APP_OPTIONS=json.dumps(options), OTEL_SERVICE_NAME=name)
        children.append(Child(env, module))
        return children[-1]

    yield start
    for child in children:
        if child.process.poll() is None:
            child.process.kill()
            child.process.communicate()


@pytest.fixture
def start(asking: Server, receiver: Receiver) -> Iterator[Start]:
    yield from starting(asking, receiver)


def check(receiver: Receiver, run_id: str, emitted_by: str) -> Span:
    """One trace, one run span under the function that created it, one generation span, one tool span, tokens once."""
    assert run_ids(receiver) == [run_id]
    (run,), (generation,), (tool,) = runs(receiver), generations(receiver), of(receiver, "execute_tool")
    (ask,) = [s for s in receiver.spans if s.name == "ask"]
    assert unfinished(receiver) == {}
    assert {s.trace_id for s in receiver.spans} == {ask.trace_id}
    assert (run.parent_id, generation.parent_id, tool.parent_id) == (ask.span_id, run.span_id, run.span_id)
    assert run.resource["service.name"] == generation.resource["service.name"] == emitted_by
    tokens = [
        (s.attributes["gen_ai.usage.input_tokens"], s.attributes["gen_ai.usage.output_tokens"])
        for s in receiver.spans
        if "gen_ai.usage.input_tokens" in s.attributes
    ]
    assert tokens == [(600, 50)]
    assert run.attributes["runspan.run.status"] == "completed"
    assert run.attributes["session.id"] == generation.attributes["session.id"] == "s1"
    assert "It is 12 °C." in str(generation.attributes["gen_ai.output.messages"])
    assert "weather in Paris" in str(generation.attributes["gen_ai.input.messages"])
    assert tool.attributes["gen_ai.tool.call.result"] == "12 °C in Paris"
    assert json.loads(str(tool.attributes["gen_ai.tool.call.arguments"])) == {"city": "Paris"}
    assert CARRIED not in json.dumps(run.attributes.get("runspan.run.metadata", {}))
    assert run.start_ns <= tool.start_ns <= tool.end_ns <= run.end_ns
    assert run.start_ns <= generation.start_ns <= generation.end_ns == run.end_ns
    return run


def test_with_a_carrier_the_worker_emits_the_run_in_the_creators_trace(
    start: Start, receiver: Receiver
) -> None:
    creator, worker, reader = start("creator"), start("worker"), start("reader")
    order = creator.do("handoff", creator.do("create"))
    assert worker.do("work", order)["status"] == "completed"
    assert reader.do("show", order)["answer"] == "It is 12 °C."
    assert creator.do("stats") == {"started": 1, "emitted": 0, "unfinished": 0, "handed_off": 1, "live": 0}
    assert worker.do("stats") == {"started": 1, "emitted": 1, "unfinished": 0, "handed_off": 0, "live": 0}
    assert reader.do("stats")["started"] == 0
    end(creator, worker, reader)
    run = check(receiver, order["run"], "worker")
    assert run.attributes["runspan.run.origin"] == "adopted"


def test_with_metadata_the_worker_emits_the_run_in_the_creators_trace(
    start: Start, receiver: Receiver
) -> None:
    creator, worker, reader = (start(name, propagate="metadata") for name in ("creator", "worker", "reader"))
    order = creator.do("create")
    assert order["metadata"].keys() == {CARRIED}
    assert worker.do("work", order)["status"] == "completed"
    assert reader.do("show", order)["answer"] == "It is 12 °C."
    assert worker.do("stats") == {"started": 1, "emitted": 1, "unfinished": 0, "handed_off": 0, "live": 0}
    assert reader.do("stats")["started"] == 0
    assert creator.do("stats") == {"started": 1, "emitted": 0, "unfinished": 0, "handed_off": 0, "live": 1}
    end(creator, worker, reader)
    run = check(receiver, order["run"], "worker")
    assert run.attributes["runspan.run.origin"] == "adopted"


def test_with_metadata_the_creator_emits_the_run_when_its_own_app_sees_the_end(
    start: Start, receiver: Receiver
) -> None:
    creator, reader = start("creator", propagate="metadata"), start("reader")
    order = creator.do("create")
    assert creator.do("work", order)["status"] == "completed"
    assert reader.do("show", order)["answer"] == "It is 12 °C."
    assert creator.do("stats")["emitted"] == 1
    assert reader.do("stats")["started"] == 0
    end(creator, reader)
    assert "runspan.run.origin" not in check(receiver, order["run"], "creator").attributes


def test_with_neither_the_creators_own_look_finds_the_end(start: Start, receiver: Receiver) -> None:
    """Nobody tells it; at its exit (else after a minute) it looks once more, and fetches what it lacks."""
    creator, worker, reader = start("creator"), start("worker"), start("reader")
    order = creator.do("create")
    assert worker.do("work", {**order, "observes": False})["status"] == "completed"
    assert reader.do("show", order)["answer"] == "It is 12 °C."
    assert worker.do("stats")["started"] == reader.do("stats")["started"] == 0
    assert creator.do("stats")["live"] == 1
    end(worker, reader, creator)
    run = check(receiver, order["run"], "creator")
    assert "runspan.run.detection_lag_s" not in run.attributes
