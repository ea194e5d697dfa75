"""`propagate="metadata"`: the run itself carries its identity, and the process whose app sees the end emits it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from tests.support.playing import BOTH, QUESTION, App, playing
from tests.support.relay import Relay
from tests.support.told import WHOLE, told
from tests.support.tracing import attribute
from ways_tools import ASKING, outputs

import runspan
from runspan.core.run_context import KEY, MAX_METADATA_CHARS, decode
from runspan.fake import Server

both_clients = pytest.mark.parametrize("kind", BOTH)


def sent(server: Server) -> list[Any]:
    """The metadata of each POST that creates a run, as the server got it."""
    posts = [r for r in server.requests if r.method == "POST" and r.path.endswith("/runs")]
    return [(r.json or {}).get("metadata") for r in posts]


async def read(app: App, run: Any) -> Any:
    return await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))


# ---------------------------------------------------------------- the request


@both_clients
def test_the_run_gets_one_key_more_and_the_apps_dict_stays_its_own(kind: str) -> None:
    relay, given = Relay(), {"plan": "pro"}

    async def case(app: App) -> None:
        with (
            relay.process("creator", propagate="metadata"),
            runspan.context(session_id="s1", metadata={"a": "b"}),
        ):
            run = await app.started(metadata=given)
            assert run.metadata.keys() == {"plan", KEY}  # the app's own Run shows what the server stores
            await app.polled(run)
            await app.listed()

    with playing(kind) as app:
        app.play(case)
        (metadata,) = sent(app.server)
    assert given == {"plan": "pro"}
    assert metadata["plan"] == "pro"
    assert len(metadata[KEY]) <= MAX_METADATA_CHARS
    carried = decode(metadata[KEY])
    (run,) = relay.spans("invoke_agent")
    assert carried is not None
    assert carried.span_id == f"{run.context.span_id:016x}"
    assert carried.scope == {"session.id": "s1"}
    assert json.loads(str(attribute(run, "runspan.run.metadata"))) == {"plan": "pro"}
    assert KEY not in repr(relay.spans("chat")[0].attributes).replace("runspan.", "")


@both_clients
@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, set()),
        ({"metadata": None}, set()),
        ({"extra_body": {"metadata": {"b": "2"}, "x": 1}}, {"b"}),
        ({"metadata": {"a": "1"}, "extra_body": {"metadata": {"b": "2"}}}, {"b"}),
        ({"metadata": {f"k{i}": "v" for i in range(15)}}, {f"k{i}" for i in range(15)}),
        (
            {"metadata": {**{f"k{i}": "v" for i in range(15)}, KEY: "of another run"}},
            {f"k{i}" for i in range(15)},
        ),
    ],
    ids=range(6),
)
def test_it_goes_where_the_apps_metadata_go(options: Any, keys: set[str], kind: str) -> None:
    before = repr(options)
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            await app.started(**options)

    with playing(kind) as app:
        app.play(case)
        (metadata,) = sent(app.server)
    assert metadata.keys() == {*keys, KEY}
    assert decode(metadata[KEY]) is not None
    assert repr(options) == before
    assert relay.stats["creator"].handed_off == 1


@pytest.mark.parametrize(
    "metadata", [{f"k{i}": "v" for i in range(16)}, [1], "text"], ids=["full", "list", "text"]
)
def test_metadata_without_room_are_left_alone_and_the_run_is_the_creators_own(metadata: Any) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            try:
                run = app.runs.create(**app.asked, extra_body={"metadata": metadata})
            except Exception:  # the server's own opinion of such metadata
                return
            await app.polled(run)
            await app.listed()

    with playing("OpenAI") as app:
        app.play(case)
        assert sent(app.server) == [metadata]
    assert relay.stats["creator"].dropped == {"not_propagated": 1}
    assert relay.stats["creator"].handed_off == 0


@pytest.mark.parametrize(
    "options", [{}, {"propagate": "never"}, {"propagate": "metadata", "sampler": ALWAYS_OFF}]
)
def test_who_did_not_ask_for_it_and_who_does_not_record_sends_what_the_app_said(options: Any) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", **options):
            await app.started(metadata={"plan": "pro"})

    with playing("OpenAI") as app:
        app.play(case)
        assert sent(app.server) == [{"plan": "pro"}]


@both_clients
def test_every_way_to_create_a_run_sends_it_also_when_it_is_tried_twice(kind: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            app.server.inject("server_error", method="POST", path="/threads/*/runs")
            patient = app.client.with_options(max_retries=2)
            await app.got(patient.beta.threads.runs.create(**app.asked))
            await app.got(
                app.runs.with_raw_response.create(
                    **{**app.asked, "thread_id": (await app.got(app.threads.create())).id}
                )
            )
            await app.got(app.threads.create_and_run(assistant_id=app.assistant_id))
            await app.each(
                await app.got(app.threads.create_and_run(assistant_id=app.assistant_id, stream=True))
            )

    with playing(kind) as app:
        app.play(case)
        found = sent(app.server)
    lines = [metadata[KEY] for metadata in found]
    assert len(lines) == 5
    assert lines[0] == lines[1]
    assert len(set(lines)) == 4
    assert relay.stats["creator"].started == 4


# ---------------------------------------------------------------- who emits


@both_clients
@pytest.mark.parametrize("way", ["retrieve", "raw", "poll"])
def test_the_process_that_saw_it_alive_and_sees_its_end_emits_it(way: str, kind: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            await app.ask()
            run = await app.started()
        with relay.process("worker"):  # reading needs no option
            if way == "raw":
                raw = await app.got(app.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id))
                await app.polled(raw.parse())
            elif way == "poll":
                await app.got(app.runs.poll(run.id, run.thread_id))
            else:
                await app.polled(await read(app, run))
            await app.listed()
        with relay.process("reader"):
            await read(app, run)
            await app.got(app.runs.list(run.thread_id))
            await app.listed()

    with playing(kind) as app:
        app.play(case)
    assert told(relay) == WHOLE
    (run,) = relay.spans("invoke_agent")
    assert attribute(run, "runspan.run.origin") == "adopted"
    counts = {name: (s.started, s.emitted, s.handed_off) for name, s in relay.stats.items()}
    assert counts == {"creator": (1, 0, 1), "worker": (1, 1, 0), "reader": (0, 0, 0)}


@both_clients
def test_a_process_that_saw_it_alive_and_not_its_end_leaves_it_to_others(kind: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata", fetch="auto", settle_s=0.0) as trace:
            run = await app.started()
            await app.flushed()
            assert trace.handle.stats().live == 1
        with relay.process("looker", fetch="auto", settle_s=0.0):
            await read(app, run)

    with playing(kind) as app:
        app.play(case)
        assert app.requests_of_runspan() == []  # nobody waits for what a look would find
    assert relay.spans("invoke_agent") == []
    counts = {name: (s.started, s.unfinished, s.handed_off) for name, s in relay.stats.items()}
    assert counts == {"creator": (1, 0, 1), "looker": (1, 0, 1)}


@both_clients
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_worker_that_only_answers_the_tools_takes_part(is_streamed: bool, kind: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            await app.ask()
            run = await app.polled(await app.started())
        with relay.process("worker"):
            if is_streamed:
                async with app.opened(app.runs.submit_tool_outputs_stream(**outputs(run))) as stream:
                    await app.got(stream.until_done())
            else:
                await app.got(app.runs.submit_tool_outputs_and_poll(**outputs(run)))
            await app.listed()

    with playing(kind, ASKING) as app:
        app.play(case)
    found = told(relay)
    assert (found["status"], found["usage"], found["input"]) == ("completed", WHOLE["usage"], [QUESTION])
    assert [output for _, output in found["tools"]] == ["12 °C"]


def test_a_tool_function_at_the_first_sight_of_a_shared_run_is_the_span_of_its_call() -> None:
    relay = Relay()

    @runspan.observe(kind="tool")
    def get_weather(city: str) -> str:
        return "12 °C"

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            await app.ask()
            run = await app.polled(await app.started())
        with relay.process("worker"):
            await read(app, run)
            get_weather("Paris")
            await app.got(app.runs.submit_tool_outputs_and_poll(**outputs(run)))
            await app.listed()

    with playing("OpenAI", ASKING) as app:
        app.play(case)
    assert told(relay)["tools"] == [("get_weather", "12 °C")]


def test_where_two_apps_see_the_end_their_spans_have_the_same_ids() -> None:
    """Nothing tells them of each other; backends that go by ids keep one. The second one here is made by its identity alone."""
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            run = await app.started()
            await app.polled(run)
        (metadata,) = sent(app.server)
        with relay.process("worker"):
            runspan.adopt(run.id, metadata)
            await read(app, run)

    with playing("OpenAI") as app:
        app.play(case)
    spans = {
        process: {s.name: (s.context.trace_id, s.context.span_id) for s in relay.exported[process]}
        for process in ("creator", "worker")
    }
    assert spans["worker"].keys() == {"invoke_agent", "chat gpt-4o-mini"}
    assert spans["worker"].items() <= spans["creator"].items()


def test_a_run_with_the_key_of_another_thread_is_nobodys() -> None:
    """An app that does not propagate took over the metadata of an older run."""
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            old = await app.started()
        thread = app.threads.create()
        run = await app.started(thread_id=thread.id, metadata=old.metadata)
        with relay.process("worker"):
            await app.polled(await read(app, run))

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.spans("invoke_agent") == []
    assert relay.stats["worker"].started == 0


@pytest.mark.parametrize("line", ["", "v=1", "of the app", "v=1&t=1"])
def test_a_key_of_that_name_that_is_not_ours_is_left_alone(line: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        run = await app.started(metadata={KEY: line})
        with relay.process("worker"):
            await app.polled(await read(app, run))

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.stats["worker"].started == 0


def test_an_explicit_handoff_of_a_shared_run_is_one() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", propagate="metadata"):
            await app.ask()
            run = await app.started()
            headers = runspan.handoff(run.id)
            await app.polled(run)
        with relay.process("worker"):
            await read(app, run)
            await app.flushed()
            runspan.adopt(run.id, headers)
            await app.listed()

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.names("creator").count("invoke_agent") == 0
    assert relay.stats["creator"].handed_off == 1
