"""`handoff` and `adopt`: the run leaves the process that created it, and the one that takes it over emits it in its place."""

from __future__ import annotations

import gc
from typing import Any
from urllib.parse import parse_qsl

import openai
import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from tests.support.playing import BOTH, App, client_of, here, playing
from tests.support.relay import Relay
from tests.support.told import WHOLE, told
from tests.support.tracing import attribute
from ways_tools import ASKING, outputs

import runspan

both_clients = pytest.mark.parametrize("kind", BOTH)


async def finished(app: App, run: Any) -> None:
    """A worker's part: poll, then read the answer."""
    run = await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))
    await app.polled(run, span="work")
    await app.listed()


@both_clients
def test_who_adopts_emits_the_run_under_the_span_that_created_it(kind: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.started()
            headers = runspan.handoff(run.id)
        with relay.process("worker"):
            runspan.adopt(run.id, headers)
            await finished(app, run)

    with playing(kind) as app:
        app.play(case)
    assert told(relay) == {**WHOLE, "polls": 3}
    assert "invoke_agent Tutor" not in relay.names("creator")
    (run,) = relay.spans("invoke_agent")
    assert attribute(run, "runspan.run.origin") == "adopted"
    assert (relay.stats["creator"].handed_off, relay.stats["creator"].emitted) == (1, 0)
    assert (relay.stats["worker"].started, relay.stats["worker"].emitted) == (1, 1)


# ---------------------------------------------------------------- whose span it is


@both_clients
def test_it_is_the_span_that_the_creators_post_named(kind: str) -> None:
    """What HTTP instrumentation and servers hang below the POST is below the adopted run, not an orphan."""
    relay, told_to_server = Relay(), []

    def inject(request: Any) -> None:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        if request.method == "POST" and request.url.path.endswith("/runs"):
            told_to_server.append(headers["traceparent"].split("-")[1:3])

    async def ainject(request: Any) -> None:
        inject(request)

    async def case(app: App) -> None:
        is_async = kind.startswith("Async")
        http = openai.DefaultAsyncHttpxClient if is_async else openai.DefaultHttpxClient
        hooks: Any = {"request": [ainject if is_async else inject]}
        client = client_of(kind, app.server, http_client=http(verify=False, event_hooks=hooks))
        with relay.process("creator"), here("create"):
            run = await app.got(client.beta.threads.runs.create(**app.asked))
            headers = runspan.handoff(run.id)
        await app.got(client.close())
        with relay.process("worker"):
            runspan.adopt(run.id, headers)
            await finished(app, run)

    with playing(kind) as app:
        app.play(case)
    (run,) = relay.spans("invoke_agent")
    assert told_to_server == [[f"{run.context.trace_id:032x}", f"{run.context.span_id:016x}"]]


def test_a_run_without_a_parent_stays_the_root_of_its_trace_and_work_goes_below_it() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            run = app.runs.create(**app.asked)
            headers = runspan.handoff(run.id)
        with relay.process("worker"), runspan.adopt(run.id, headers):
            await finished(app, run)
        assert headers["traceparent"].split("-")[2] in headers["runspan"]

    with playing("OpenAI") as app:
        app.play(case)
    (run,) = relay.spans("invoke_agent")
    assert run.parent is None
    works = [s for s in relay.exported["worker"] if s.name == "work"]
    assert [s.parent for s in works if s.parent] != []
    assert {s.parent.span_id for s in works if s.parent} == {run.context.span_id}


def test_work_inside_adopt_lies_beside_the_run_with_the_creators_baggage_and_context() -> None:
    relay, seen = Relay(), []

    async def case(app: App) -> None:
        with relay.process("creator"):
            token = context.attach(baggage.set_baggage("tenant", "blue"))
            with runspan.context(session_id="s1", user_id="u1", tags=["beta"], metadata={"plan": "pro"}):
                run = await app.started()
                headers = runspan.handoff(run.id)
            context.detach(token)
        with relay.process("worker"):
            before = context.get_current()
            with runspan.adopt(run.id, headers):
                seen.append(baggage.get_baggage("tenant"))
                with runspan.span("work"):
                    await app.polled(run)
            assert context.get_current() == before
            await app.listed()

    with playing("OpenAI") as app:
        app.play(case)
    (create,) = [s for s in relay.exported["creator"] if s.name == "create"]
    (work,) = [s for s in relay.exported["worker"] if s.name == "work"]
    (run,) = relay.spans("invoke_agent")
    (generation,) = relay.spans("chat")
    assert seen == ["blue"]
    for span in (run, work):
        assert span.parent is not None
        assert span.parent.span_id == create.context.span_id
    for span in (run, generation, work):
        assert (attribute(span, "session.id"), attribute(span, "user.id")) == ("s1", "u1")
        assert attribute(span, "tag.tags") == ("beta",)
        assert attribute(span, "metadata") == '{"plan":"pro"}'


def test_a_root_run_keeps_the_name_of_its_trace_and_gets_the_words_of_the_workers_own_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("HOST", "http://127.0.0.1:1"), ("PUBLIC_KEY", "pk"), ("SECRET_KEY", "sk")):
        monkeypatch.setenv(f"LANGFUSE_{name}", value)
    relay = Relay()

    async def case(app: App) -> None:
        with (
            relay.process("creator"),
            runspan.context(session_id="s1", trace_name="turn", metadata={"plan": "pro"}),
        ):
            run = app.runs.create(**app.asked)
            headers = runspan.handoff(run.id)
        with relay.process("worker", backend="langfuse"):
            runspan.adopt(run.id, headers)
            await app.polled(run)

    with playing("OpenAI") as app:
        app.play(case)
    (run,) = [s for s in relay.exported["worker"] if attribute(s, "runspan.run.id")]
    assert (run.name, run.parent) == ("turn", None)
    assert attribute(run, "langfuse.trace.metadata.plan") == "pro"
    assert attribute(run, "langfuse.session.id") or attribute(run, "session.id") == "s1"


class Wrapping(TracerProvider):
    """Tracers of a class of their own, as logfire's and ddtrace's are."""

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        inner = super().get_tracer(*args, **kwargs)
        return type("Tracer", (), {"start_span": staticmethod(inner.start_span)})()


def test_a_tracer_of_another_make_gives_an_id_of_its_own_under_the_same_parent() -> None:
    relay, exporter = Relay(), InMemorySpanExporter()
    provider = Wrapping(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def case(app: App) -> None:
        with relay.process("creator"):
            under = await app.started()
            headers = {under.id: runspan.handoff(under.id)}
            alone = app.runs.create(**{**app.asked, "thread_id": app.threads.create().id})
            headers[alone.id] = runspan.handoff(alone.id)
        with relay.process("worker", tracer_provider=provider):
            for run in (under, alone):
                runspan.adopt(run.id, headers[run.id])
                await app.polled(run)
                await app.listed(thread_id=run.thread_id)
        for run, parent in ((under, "p"), (alone, "s")):
            carried = dict(parse_qsl(headers[run.id]["runspan"]))
            (span,) = [s for s in exporter.get_finished_spans() if attribute(s, "runspan.run.id") == run.id]
            assert span.parent is not None
            assert f"{span.context.trace_id:032x}" == carried["t"]
            assert f"{span.parent.span_id:016x}" == carried[parent]
            assert f"{span.context.span_id:016x}" != carried["s"]

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.stats["worker"].emitted == 2


# ---------------------------------------------------------------- when it is adopted


@both_clients
@pytest.mark.parametrize("reads", [1, 3])
def test_adopt_may_come_after_the_run_was_read_here_even_to_its_end(reads: int, kind: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.started()
            headers = runspan.handoff(run.id)
        with relay.process("worker"):
            for _ in range(reads):
                found = await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))
            assert found.status == ("completed" if reads == 3 else "queued")
            await app.flushed()
            runspan.adopt(run.id, headers)
            await finished(app, run)

    with playing(kind) as app:
        app.play(case)
    assert told(relay) == {**WHOLE, "polls": 2 if reads == 3 else 3}


@both_clients
@pytest.mark.parametrize("reader", ["creator", "worker"])
def test_what_was_read_before_adopt_is_enough_in_whatever_process(reader: str, kind: str) -> None:
    """As a job does that looks at all open runs from time to time, and adopts one when it is over."""
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.started()
            headers = runspan.handoff(run.id)
            if reader == "creator":
                await finished(app, run)
                runspan.adopt(run.id, headers)
        if reader == "worker":
            with relay.process("worker"):
                await finished(app, run)
                runspan.adopt(run.id, headers)

    with playing(kind) as app:
        app.play(case)
    assert told(relay) == {**WHOLE, "polls": 1}
    assert relay.stats[reader].emitted == 1


def test_adopting_twice_or_once_more_after_the_run_went_out_is_adopting_once() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.started()
            headers = runspan.handoff(run.id)
        with relay.process("worker") as trace:
            for _ in range(2):
                runspan.adopt(run.id, headers)
            await finished(app, run)
            trace.spans()
            with runspan.adopt(run.id, headers):
                await finished(app, run)

    with playing("OpenAI") as app:
        app.play(case)
    assert told(relay) == WHOLE
    assert relay.stats["worker"].started == 1


def test_a_run_may_go_on_from_hand_to_hand_and_back() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.started()
            headers = runspan.handoff(run.id)
        with relay.process("second"):
            runspan.adopt(run.id, headers)
            await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))
            headers = runspan.handoff(run.id)
            assert runspan.handoff(run.id) == headers
        with relay.process("third"):
            runspan.adopt(run.id, headers)
            await app.flushed()
            headers = runspan.handoff(run.id)
            await app.flushed()
            with runspan.adopt(run.id, headers):  # a task that runs where it was sent from
                await finished(app, run)

    with playing("OpenAI") as app:
        app.play(case)
    assert told(relay) == {**WHOLE, "polls": 2}
    counts = {name: (s.started, s.emitted, s.handed_off) for name, s in relay.stats.items()}
    assert counts == {"creator": (1, 0, 1), "second": (1, 0, 1), "third": (2, 1, 1)}


@both_clients
def test_what_the_creator_reads_afterwards_is_history(kind: str) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator") as trace:
            run = await app.started()
            runspan.handoff(run.id)
            await finished(app, run)
            assert [s.name for s in trace.spans("invoke_agent")] == []

    with playing(kind) as app:
        app.play(case)
    assert relay.spans("chat") == []
    assert relay.stats["creator"].handed_off == 1


def test_a_run_that_nobody_sees_the_end_of_goes_out_unfinished_from_who_adopted_it() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            run = await app.started()
            unread = app.runs.create(**{**app.asked, "thread_id": app.threads.create().id})
            headers = [runspan.handoff(run.id), runspan.handoff(unread.id)]
        with relay.process("worker"):
            runspan.adopt(run.id, headers[0])
            runspan.adopt(unread.id, headers[1])
            await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))

    with playing("OpenAI") as app:
        app.play(case)
    keys = ("runspan.run.status", "runspan.run.unfinished")
    runs = relay.spans("invoke_agent")
    assert {tuple(attribute(s, key) for key in keys) for s in runs} == {
        ("queued", "shutdown"),
        (None, "shutdown"),
    }
    assert all(attribute(s, "gen_ai.conversation.id") for s in runs)
    assert relay.stats["worker"].unfinished == 2


# ---------------------------------------------------------------- tools


@both_clients
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_worker_that_only_answers_the_tools_knows_their_names_and_times(
    is_streamed: bool, kind: str
) -> None:
    """The web process saw `requires_action`; the worker submits without having read the run."""
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            if is_streamed:
                with here("create"):
                    async with app.opened(app.runs.stream(**app.asked)) as stream:
                        run = await app.got(stream.get_final_run())
            else:
                run = await app.polled(await app.started())
            headers = runspan.handoff(run.id)
        with relay.process("worker"):
            runspan.adopt(run.id, headers)
            if is_streamed:
                async with app.opened(app.runs.submit_tool_outputs_stream(**outputs(run))) as stream:
                    await app.got(stream.until_done())
            else:
                await app.polled(await app.got(app.runs.submit_tool_outputs(**outputs(run))))
            await app.listed()

    with playing(kind, ASKING) as app:
        app.play(case)
    found = told(relay)
    assert found == {**WHOLE, "tools": [("get_weather", "12 °C")], "polls": found["polls"]}
    (tool,) = relay.spans("execute_tool")
    (run,) = relay.spans("invoke_agent")
    assert attribute(run, "runspan.run.tool_wait_s") > 0
    assert (tool.end_time or 0) > (tool.start_time or 0)


def test_steps_tell_the_arguments_that_did_not_travel() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            run = await app.polled(await app.started())
            headers = runspan.handoff(run.id)
        with relay.process("worker", fetch="auto", settle_s=0.0):
            runspan.adopt(run.id, headers)
            await app.polled(await app.got(app.runs.submit_tool_outputs(**outputs(run))))

    with playing("OpenAI", ASKING) as app:
        app.play(case)
    (tool,) = relay.spans("execute_tool")
    assert attribute(tool, "gen_ai.tool.call.arguments") == '{"city":"Paris"}'


@pytest.mark.parametrize("reads_first", [False, True])
def test_a_function_observed_as_a_tool_in_the_worker_is_the_span_of_its_call(reads_first: bool) -> None:
    relay = Relay()

    @runspan.observe(kind="tool")
    def get_weather(city: str) -> str:
        return "12 °C"

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.polled(await app.started())
            headers = runspan.handoff(run.id)
        with relay.process("worker"), runspan.adopt(run.id, headers):
            if reads_first:
                await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))
            get_weather("Paris")
            await app.polled(await app.got(app.runs.submit_tool_outputs(**outputs(run))))
            await app.listed()

    with playing("OpenAI", ASKING) as app:
        app.play(case)
    found = told(relay)
    assert found == {**WHOLE, "tools": [("get_weather", "12 °C")], "polls": found["polls"]}
    (tool,) = relay.spans("execute_tool")
    assert attribute(tool, "gen_ai.tool.call.arguments") == '{"city":"Paris"}'
    assert attribute(tool, "gen_ai.tool.call.id").startswith("call_")


def test_a_call_that_the_creator_answered_itself_is_not_told_again_by_the_worker() -> None:
    relay = Relay()

    @runspan.observe(kind="tool")
    def get_weather(city: str) -> str:
        return "12 °C"

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.polled(await app.started())
            get_weather("Paris")
            headers = runspan.handoff(run.id)
        with relay.process("worker"):
            runspan.adopt(run.id, headers)
            await app.polled(await app.got(app.runs.submit_tool_outputs(**outputs(run))))
            await app.listed()

    with playing("OpenAI", ASKING) as app:
        app.play(case)
    assert told(relay)["tools"] == [("get_weather", "12 °C")]


# ---------------------------------------------------------------- nothing to give, nothing to take


def test_a_stream_that_the_creator_reads_on_after_the_handoff_is_not_its_own_any_more() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            stream = app.runs.create(**app.asked, stream=True)
            run = next(iter(stream)).data
            headers = runspan.handoff(run.id)
            list(stream)
        with relay.process("worker"):
            runspan.adopt(run.id, headers)
            app.runs.retrieve(run.id, thread_id=run.thread_id)

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.names("creator") == []
    (generation,) = relay.spans("chat")
    assert attribute(generation, "gen_ai.request.stream") is True


def test_of_a_run_that_went_out_already_there_is_nothing_to_give(caplog: pytest.LogCaptureFixture) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator") as trace:
            with here("create"):
                run = await app.started()
                await app.polled(run)
                await app.listed()
                trace.spans()
                caplog.clear()
                headers = runspan.handoff(run.id)
                assert headers.keys() == {"traceparent"}
                runspan.handoff("run_of_nobody")
                runspan.handoff(None)  # type: ignore[arg-type]
            (line,) = caplog.messages
            assert run.id in line
        with relay.process("worker"), runspan.adopt(run.id, headers):
            with runspan.span("later"):
                await finished(app, run)
            assert run.id in caplog.messages[-1]

    with playing("OpenAI") as app:
        app.play(case)
    assert len(relay.spans("invoke_agent")) == len(relay.spans("chat")) == 1
    traces = {s.context.trace_id for s in relay.spans() if s.name in ("later", "create")}
    assert len(traces) == 1


GARBAGE: list[Any] = [
    {},
    None,
    "traceparent",
    7,
    {"runspan": "v=1&t=zz"},
    {"runspan": 5, 6: b"\xff"},
    {"runspan": "v=1&" + "x" * 10_000},
    {"runspan": "v=2&t=1&s=2&f=01&at=1"},
    {"traceparent": "00-garbage", "baggage": ";;;=,"},
    {b"runspan": object()},
]


@pytest.mark.parametrize("carrier", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_worth_one_line_and_changes_nothing(
    carrier: Any, caplog: pytest.LogCaptureFixture
) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        run = app.runs.create(**app.asked)
        with relay.process("worker"):
            caplog.clear()
            for _ in range(2):
                with runspan.adopt(run.id, carrier):
                    await finished(app, run)
            (line,) = (r.getMessage() for r in caplog.records if r.name == "runspan")
            assert f"adopt('{run.id}')" in line

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.names("worker") == ["work", "work"]


def test_other_headers_other_letters_and_bytes_do_no_harm() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.started()
            headers = {k.title(): v.encode() for k, v in runspan.handoff(run.id).items()}
        with relay.process("worker"):
            runspan.adopt(run.id, {"Host": "x", "priority": 3, **headers})
            await finished(app, run)

    with playing("OpenAI") as app:
        app.play(case)
    assert told(relay) == WHOLE


def test_without_instrument_both_do_nothing() -> None:
    assert runspan.handoff("run_1") == {}
    with runspan.adopt("run_1", {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}) as adopted:
        assert not trace.get_current_span().get_span_context().is_valid
        with adopted:
            pass


# ---------------------------------------------------------------- sampling, content


@pytest.mark.parametrize("has_parent", [False, True])
def test_a_run_that_its_creator_does_not_record_is_not_recorded_by_who_adopts_it(has_parent: bool) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", sampler=ALWAYS_OFF):
            run = await app.started() if has_parent else app.runs.create(**app.asked)
            headers = runspan.handoff(run.id)
            assert not int(headers["traceparent"][-2:], 16) & 1
        with relay.process("worker"), runspan.adopt(run.id, headers), runspan.span("inside"):
            await app.polled(run, span="outside")

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.spans() == []
    assert relay.stats["creator"].unrecorded == 1


@pytest.mark.parametrize("has_parent", [False, True])
def test_the_creators_sampler_has_decided_for_who_adopts(has_parent: bool) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            await app.ask()
            run = await app.started() if has_parent else app.runs.create(**app.asked)
            headers = runspan.handoff(run.id)
        with relay.process("worker", sampler=ParentBased(TraceIdRatioBased(0.0))):
            runspan.adopt(run.id, headers)
            await finished(app, run)

    with playing("OpenAI") as app:
        app.play(case)
    assert told(relay) == {**WHOLE, "parent": "create" if has_parent else None}


def test_a_sampler_that_drops_all_where_it_is_adopted_has_the_last_word() -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator"):
            run = await app.started()
            headers = runspan.handoff(run.id)
        with relay.process("worker", sampler=ALWAYS_OFF):
            runspan.adopt(run.id, headers)
            await finished(app, run)

    with playing("OpenAI") as app:
        app.play(case)
    assert relay.names("worker") == []
    assert (relay.stats["worker"].started, relay.stats["worker"].unrecorded) == (0, 1)


def test_headers_hold_no_text_of_the_app() -> None:
    relay = Relay()
    secret = "the secret of the app"

    async def case(app: App) -> None:
        with relay.process("creator", capture_content=False):
            with runspan.context(session_id="s1", metadata={"note": secret}):
                await app.ask(secret)
                run = await app.started(
                    instructions=secret,
                    additional_instructions=secret,
                    additional_messages=[{"role": "user", "content": secret}],
                    metadata={"note": secret},
                )
            run = await app.polled(run)
            headers = runspan.handoff(run.id)
        assert "secret" not in repr(headers)
        assert "Paris" not in repr(headers)
        assert all(
            value.isascii() and len(value) <= 2_048 and "\n" not in value for value in headers.values()
        )
        with relay.process("worker", capture_content=False):
            runspan.adopt(run.id, headers)
            await app.polled(await app.got(app.runs.submit_tool_outputs(**outputs(run))))
            await app.listed()

    with playing("OpenAI", ASKING) as app:
        app.play(case)
    assert secret not in repr([(s.name, s.attributes, s.events) for s in relay.spans()])
    (run,) = relay.spans("invoke_agent")
    assert attribute(run, "session.id") == "s1"


def test_the_console_does_not_wait_for_a_span_that_was_given_away(capsys: pytest.CaptureFixture[str]) -> None:
    relay = Relay()

    async def case(app: App) -> None:
        with relay.process("creator", console=True):
            run = await app.started()
            runspan.handoff(run.id)
            for _ in range(2):  # the worker lets go of a record when it takes the next batch
                await app.flushed()
            gc.collect()
            assert "create" in capsys.readouterr().out

    with playing("OpenAI") as app:
        app.play(case)
