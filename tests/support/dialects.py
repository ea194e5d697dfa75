"""One program on each dialect of the fake server, and what its trace says: for tests/e2e, and for the table of tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from runspan.fake import (
    DIALECTS,
    CodeInterpreter,
    FunctionCall,
    Logs,
    Message,
    Scenario,
    SimulatedClock,
    Tools,
    Usage,
    serve,
)
from tests.support.playing import ANSWER, INSTRUCTIONS, MODEL, QUESTION, client_of
from tests.support.tracing import Traced, attribute, traced

START = 1_700_000_000  # of the simulated clock
PLOT, OUTPUT = "print(6 * 7)", "42"
CITIES = ("Paris", "Bern")
TOOLS: Any = [{"type": "code_interpreter"}, {"type": "function", "function": {"name": "get_weather"}}]
ANSWERED = Scenario(
    phases=(
        Tools((CodeInterpreter(PLOT, (Logs(OUTPUT),)),), seconds=2.0, usage=Usage(100, 10)),
        Message(ANSWER, seconds=2.0, usage=Usage(200, 20)),
    ),
    queue_s=3.0,
    poll_after_ms=1,
)
ASKING = Scenario(
    phases=(
        Tools(
            tuple(FunctionCall("get_weather", f'{{"city":"{city}"}}') for city in CITIES),
            seconds=2.0,
            usage=Usage(100, 10),
        ),
        Message(ANSWER, seconds=2.0, usage=Usage(200, 20)),
    ),
    queue_s=3.0,
    poll_after_ms=1,
)


@dataclass
class App:
    client: Any
    assistant_id: str
    thread_id: str

    @property
    def runs(self) -> Any:
        return self.client.beta.threads.runs

    @property
    def asked(self) -> dict[str, str]:
        return {"thread_id": self.thread_id, "assistant_id": self.assistant_id}

    def read(self, run_id: str) -> None:
        """What an app reads at the end."""
        self.runs.steps.list(run_id, thread_id=self.thread_id)
        self.client.beta.threads.messages.list(self.thread_id)


@dataclass
class Told:
    """What the trace of one run says. Times are seconds since the clock's start."""

    runs: int = 0
    is_same_run: bool = False
    status: str | None = None
    model: str | None = None
    question: str = ""
    answer: str = ""
    usage: tuple[int, int] | None = None
    tools: list[tuple[str, str | None]] = field(default_factory=list)
    stamps: tuple[float | None, ...] = ()  # created, started, ended
    missing: tuple[str, ...] = ()


def polled(app: App) -> str:
    run = app.runs.create(**app.asked)
    run = _until_it_rests(app, run)
    app.read(run.id)
    return str(run.id)


def polled_unread(app: App) -> str:
    return str(_until_it_rests(app, app.runs.create(**app.asked)).id)


def created_unread(app: App) -> str:
    return str(app.runs.create(**app.asked).id)


def streamed(app: App) -> str:
    return _id_in(list(app.runs.create(**app.asked, stream=True)))


def streamed_in_bytes(app: App) -> str:
    with app.runs.with_streaming_response.create(**app.asked, stream=True) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if '"thread.run"' in line]
    first = json.loads(lines[0])
    return str(first.get("data", first)["id"])


def json_for_a_stream(app: App) -> str:
    """The app asked for events, got none, and polls."""
    with app.runs.with_streaming_response.create(**app.asked, stream=True) as response:
        run = json.loads(response.read())
    run = _until_it_rests(app, app.runs.retrieve(run["id"], thread_id=app.thread_id))
    app.read(run.id)
    return str(run.id)


def answering(app: App) -> str:
    run = _until_it_rests(app, app.runs.create(**app.asked))
    calls = run.required_action.submit_tool_outputs.tool_calls
    run = app.runs.submit_tool_outputs(run.id, thread_id=app.thread_id, tool_outputs=_outputs(calls))
    run = _until_it_rests(app, run)
    app.read(run.id)
    return str(run.id)


def answering_streamed(app: App) -> str:
    events = list(app.runs.create(**app.asked, stream=True))
    run = next(run for run in map(_object_of, events) if _field(run, "required_action"))
    outputs = _outputs(_field(_field(_field(run, "required_action"), "submit_tool_outputs"), "tool_calls"))
    run_id = str(_field(run, "id"))
    list(app.runs.submit_tool_outputs(run_id, thread_id=app.thread_id, tool_outputs=outputs, stream=True))
    return run_id


def _until_it_rests(app: App, run: Any) -> Any:
    while run.status not in ("completed", "failed", "requires_action"):
        run = app.runs.retrieve(run.id, thread_id=app.thread_id)
    return run


def _outputs(calls: Any) -> list[dict[str, str]]:
    """Of each call what is asked for, in the order of the calls."""
    return [
        {"tool_call_id": _field(call, "id"), "output": f"rain in {city}"}
        for call, city in zip(calls, CITIES, strict=True)
    ]


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _object_of(event: Any) -> Any:
    """Of a typed event, whatever the server put around it."""
    data = event.data
    return getattr(data, "data", None) or data


def _id_in(events: list[Any]) -> str:
    runs = (_object_of(event) for event in events)
    return str(next(_field(run, "id") for run in runs if _is_run(run)))


def _is_run(value: Any) -> bool:
    return bool(_field(value, "object") == "thread.run")


@dataclass(frozen=True)
class Way:
    play: Callable[[App], str]
    scenario: Scenario = ANSWERED

    @property
    def name(self) -> str:
        return self.play.__name__


PLAIN = tuple(map(Way, (polled, polled_unread, streamed, streamed_in_bytes)))
FUNCTIONS = (Way(answering, ASKING), Way(answering_streamed, ASKING))
# What can be done with each of them.
WAYS: Mapping[str, tuple[Way, ...]] = {
    "litellm": tuple(map(Way, (created_unread, streamed, streamed_in_bytes))),
    "astra": (*PLAIN, *FUNCTIONS),
    "open-assistant": (*PLAIN, *FUNCTIONS),
    "myla": (Way(polled), Way(polled_unread), Way(json_for_a_stream), Way(answering, ASKING)),
    "dashscope": (*PLAIN, *FUNCTIONS),
    "leapfrog": PLAIN,
}
assert WAYS.keys() == DIALECTS.keys()
CASES = [(dialect, way) for dialect, ways in WAYS.items() for way in ways]


@contextmanager
def app_on(dialect: str, scenario: Scenario) -> Iterator[App]:
    with (
        serve(scenario, SimulatedClock(start=START), dialect=dialect) as server,
        client_of("OpenAI", server) as client,
    ):
        beta = client.beta
        assistant = beta.assistants.create(model=MODEL, name="Tutor", instructions=INSTRUCTIONS, tools=TOOLS)
        thread = beta.threads.create()
        beta.threads.messages.create(thread.id, role="user", content=QUESTION)
        yield App(client, assistant.id, thread.id)


def told_of(dialect: str, way: Way, **options: Any) -> Told:
    with (
        app_on(dialect, way.scenario) as app,
        traced(**{"fetch": "auto", "settle_s": 0.0, **options}) as trace,
    ):
        run_id = way.play(app)
        return _told(trace, run_id)


def _told(trace: Traced, run_id: str) -> Told:
    runs = trace.runs()
    if len(runs) != 1:
        return Told(len(runs))
    (run,), generation = runs, trace.generation()
    usage = (attribute(generation, f"gen_ai.usage.{side}_tokens") for side in ("input", "output"))
    into, out = usage
    return Told(
        runs=1,
        is_same_run=attribute(run, "runspan.run.id") == run_id,
        status=attribute(run, "runspan.run.status"),
        model=attribute(generation, "gen_ai.response.model") or attribute(generation, "gen_ai.request.model"),
        question=_text_of(generation, "input"),
        answer=_text_of(generation, "output"),
        usage=None if into is None else (into, out),
        tools=[
            (attribute(t, "gen_ai.tool.name"), attribute(t, "gen_ai.tool.call.result")) for t in trace.tools()
        ],
        stamps=tuple(
            _since_start(attribute(run, f"runspan.run.{name}_at")) for name in ("created", "started", "ended")
        ),
        missing=tuple(attribute(run, "runspan.run.missing") or ()),
    )


def _since_start(stamp: Any) -> float | None:
    return None if stamp is None else stamp - START


def _text_of(span: ReadableSpan, side: str) -> str:
    said = json.loads(attribute(span, f"gen_ai.{side}.messages") or "[]")
    parts = [part for message in said for part in message["parts"] if part["type"] == "text"]
    return " ".join(part["content"] for part in parts)
