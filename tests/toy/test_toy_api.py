"""A second API, whose words the core has never heard: its runs are traced like any other, through the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan

import runspan
from runspan import handle
from runspan.apis.api import Apis
from runspan.runtime.records import Call
from tests.support.tracing import attribute, traced
from tests.toy import api
from tests.toy.server import ANSWER, Toy, serve


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    monkeypatch.setattr(handle, "APIS", Apis(api.API))
    with serve() as running:
        yield running


@pytest.fixture
def client(toy: Toy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=toy.url, api_key="none", max_retries=0) as made:
        yield made


def begin(client: openai.OpenAI, **more: Any) -> Any:
    return client.post("/jobs", cast_to=object, body={"talk": "t5", "engine": "toy-1", **more})


def look(client: openai.OpenAI, job: Any) -> Any:
    return client.get(f"/jobs/{job['id']}", cast_to=object)


def to_the_end(client: openai.OpenAI, job: Any) -> Any:
    while job["state"] not in ("done", "blocked"):
        job = look(client, job)
    return job


@runspan.observe(kind="tool")
def weather(city: str) -> str:
    return f"{city}: 22 C"


def outputs(generation: ReadableSpan) -> list[str]:
    messages = json.loads(attribute(generation, "gen_ai.output.messages"))
    return [part["content"] for message in messages for part in message["parts"] if part["type"] == "text"]


def changes(run: ReadableSpan) -> list[str]:
    return [event.name for event in run.events]


def test_a_polled_job_is_a_run(client: openai.OpenAI) -> None:
    with traced() as trace:
        with runspan.span("turn"):
            to_the_end(client, begin(client))
            client.get("/talks/t5/notes", cast_to=object)
        run, generation = trace.run(), trace.generation()
    assert attribute(run, "runspan.run.status") == "done"
    assert changes(run) == ["job.pending", "job.working", "job.done"]
    assert (attribute(run, "gen_ai.conversation.id"), attribute(run, "gen_ai.request.model")) == (
        "t5",
        "toy-1",
    )
    assert run.parent is not None
    assert generation.parent is not None
    assert generation.parent.span_id == run.context.span_id
    assert (outputs(generation), attribute(generation, "gen_ai.usage.input_tokens")) == ([ANSWER], 11)


def test_polls_that_show_nothing_new_make_no_record(
    client: openai.OpenAI, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.slow = 9
    read: list[str | None] = []
    with traced() as trace:
        reader = trace.handle._worker._handlers[Call]
        handlers = {
            **trace.handle._worker._handlers,
            Call: lambda c: (read.append(c.match.route.operation), reader(c)),
        }
        monkeypatch.setattr(trace.handle._worker, "_handlers", handlers)
        to_the_end(client, begin(client))
        client.get("/talks/t5/notes", cast_to=object)
        run = trace.run()
    assert toy.looks == attribute(run, "runspan.run.polls") == 20
    assert read.count("get_job") < 6


def test_a_blocked_job_waits_for_the_apps_own_tools(client: openai.OpenAI) -> None:
    with traced() as trace:
        with runspan.span("turn"):
            job = to_the_end(client, begin(client, tools=True))
            says = weather(**json.loads(job["wishes"][0]["given"]))
            body = {"answers": [{"wish": job["wishes"][0]["id"], "says": says}]}
            job = client.post(f"/jobs/{job['id']}/answers", cast_to=object, body=body)
            to_the_end(client, job)
            client.get("/talks/t5/notes", cast_to=object)
        run, tools = trace.run(), trace.tools()
    assert changes(run) == [
        "job.pending",
        "job.working",
        "job.blocked",
        "job.pending",
        "job.working",
        "job.done",
    ]
    (tool,) = tools
    assert (tool.name, attribute(tool, "gen_ai.tool.call.id")) == ("execute_tool weather", "w1")
    assert tool.parent is not None
    assert tool.parent.span_id == run.context.span_id
    assert attribute(run, "runspan.run.tool_wait_s") > 0


def test_what_the_app_does_not_read_is_fetched(client: openai.OpenAI, toy: Toy) -> None:
    with traced(fetch="auto", settle_s=0.0) as trace:
        job = to_the_end(client, begin(client, tools=True))
        body = {"answers": [{"wish": "w1", "says": "22 C"}]}
        to_the_end(client, client.post(f"/jobs/{job['id']}/answers", cast_to=object, body=body))
        generation, (tool,) = trace.generation(), trace.tools()
    assert outputs(generation) == [ANSWER]
    assert attribute(tool, "gen_ai.tool.call.result") == "22 C"
    assert sorted(path for path in toy.seen if path.endswith(("/notes", "/parts"))) == [
        "GET /jobs/17/parts",
        "GET /talks/t5/notes",
    ]


def streamed(client: openai.OpenAI, raw: bool, events: int) -> None:
    body = {"talk": "t5", "engine": "toy-1", "live": True}
    if raw:
        response: Any = client.post(
            "/jobs",
            cast_to=object,
            body=body,
            stream=True,
            stream_cls=openai.Stream[object],
            options={"headers": {"X-Stainless-Raw-Response": "true"}},
        )
        response.http_response.read()
        return
    with client.post(
        "/jobs", cast_to=object, body=body, stream=True, stream_cls=openai.Stream[object]
    ) as stream:
        for _, _ in zip(range(events), stream, strict=False):
            pass


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "bytes"])
def test_a_streamed_job_is_a_run(client: openai.OpenAI, raw: bool) -> None:
    with traced() as trace:
        streamed(client, raw, 99)
        run, generation = trace.run(), trace.generation()
    assert sorted(changes(run)) == ["first_token", "job.done", "job.pending", "job.working"]
    assert outputs(generation) == [ANSWER]
    assert attribute(generation, "gen_ai.response.time_to_first_chunk") > 0


def test_a_stream_that_is_left_early_keeps_its_pieces(client: openai.OpenAI) -> None:
    with traced() as trace:
        streamed(client, False, 3)
        runspan.uninstrument()
        run, generation = (
            next(
                s
                for s in trace.exporter.get_finished_spans()
                if attribute(s, "gen_ai.operation.name") == name
            )
            for name in ("invoke_agent", "chat")
        )
    assert attribute(run, "runspan.run.unfinished") == "stream_closed"
    assert outputs(generation) == ["It is"]


def test_a_job_of_another_process_makes_nothing(client: openai.OpenAI) -> None:
    job = begin(client)
    with traced() as trace:
        to_the_end(client, job)
        client.get("/talks/t5/notes", cast_to=object)
        assert trace.spans() == []


def test_a_job_goes_from_one_process_to_another(client: openai.OpenAI) -> None:
    with traced() as creator:
        with runspan.span("request"):
            job = begin(client)
            carrier = runspan.handoff(job["id"])
        assert creator.runs() == []
    with traced() as worker:
        with runspan.adopt(job["id"], carrier):
            to_the_end(client, job)
            client.get("/talks/t5/notes", cast_to=object)
        run, generation = worker.run(), worker.generation()
    assert (attribute(run, "runspan.run.status"), outputs(generation)) == ("done", [ANSWER])
    assert run.context.trace_id == int(carrier["traceparent"].split("-")[1], 16)


def test_each_user_s_tool_call_stays_in_its_own_job(client: openai.OpenAI) -> None:
    with traced() as trace:
        with runspan.span("user A"):
            to_the_end(client, begin(client, tools=True))  # and A goes away
        with runspan.span("user B"):
            weather("Ulm")
        (tool,) = [
            span for span in trace.spans() if span.name == "execute_tool weather" or span.name == "weather"
        ]
        spans = {span.name: span for span in trace.spans()}
    assert tool.context.trace_id == spans["user B"].context.trace_id
