"""Other tracers of the same client: named once, left alone; bypassed on the paths of runs where the app asks for it.

Real ones patch their whole process, so each case runs in a child; `make test-matrix` has an environment for each. What needs no
neighbour but its name is tested with a made-up one, here.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import openai
import pytest
import wrapt
from opentelemetry import context
from opentelemetry.instrumentation.utils import unwrap

from runspan.fake import Server, serve
from tests.support.children import environment, run
from tests.support.playing import BOTH, App, playing, spans_of_app_go_to
from tests.support.tracing import attribute, traced

OTEL = """
    from opentelemetry.sdk.trace import TracerProvider
    provider = TracerProvider()
    from opentelemetry import trace
    trace.set_tracer_provider(provider)
"""
LOGFIRE = """
    import logfire
    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False, metrics=False)
    from opentelemetry import trace
    provider = trace.get_tracer_provider()
"""
# name -> (what must be installed, its name in our advice, its provider, how it is switched on)
PEERS = {
    "openinference": (
        "openinference.instrumentation.openai",
        "OpenInference",
        OTEL,
        "from openinference.instrumentation.openai import OpenAIInstrumentor as I; I().instrument(tracer_provider=provider)",
    ),
    "openllmetry": (
        "opentelemetry.instrumentation.openai",
        "OpenLLMetry",
        OTEL,
        "from opentelemetry.instrumentation.openai import OpenAIInstrumentor as I; I().instrument(tracer_provider=provider)",
    ),
    "agentops": (
        "agentops",
        "AgentOps",
        OTEL,
        "from agentops.instrumentation.providers.openai.instrumentor import OpenaiInstrumentor as I;"
        " I().instrument(tracer_provider=provider)",
    ),
    "logfire": ("logfire", "Logfire", LOGFIRE, "logfire.instrument_openai()"),
}
ADVICE = "See docs/other-tracers.md."
ASSISTANTS = """
    handle = runspan.instrument(background_fetch=False, limits=runspan.Limits(exit_timeout_s=20))
    from tests.support import app
    client = app.client()
"""
THE_APP = """
    import openai
    def tokens(span):
        return sum((span.attributes or {}).get(key, 0) for key in ("gen_ai.usage.input_tokens", "llm.token_count.prompt"))

    def chat():
        try:
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
        except openai.NotFoundError:
            pass  # the fake has runs alone

    def assist():
        assistant = client.beta.assistants.create(model="gpt-4o", name="Math Tutor")
        thread = client.beta.threads.create()
        client.beta.threads.messages.create(thread.id, role="user", content="What is 1 + 1?")
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=1)
        assert len(client.beta.threads.messages.list(thread.id).data) == 2
        return run.usage.prompt_tokens

    async def assist_async():
        client = openai.AsyncOpenAI(base_url=os.environ["APP_SERVER"], api_key="none", max_retries=0)
        assistant = await client.beta.assistants.create(model="gpt-4o", name="Math Tutor")
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "1?"}]}, poll_interval_ms=1)
        await client.beta.threads.messages.list(run.thread_id)
        await client.close()
        return run.usage.prompt_tokens
"""
TELL = """
    ok = runspan.flush(20) if "ok" not in globals() else ok
    trace.get_tracer_provider().force_flush()
    spans = [(s.instrumentation_scope.name, s.name, tokens(s)) for s in exported.get_finished_spans()]
    print(json.dumps({"ok": ok, "spans": spans, "used": used, "lines": lines, "errors": handle.stats().errors}))
"""
HEAD = """
    import asyncio, json, logging, os
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exported = InMemorySpanExporter()
    lines = []
    class Keep(logging.Handler):
        def emit(self, record): lines.append((record.levelname, record.getMessage()))
    logging.getLogger("runspan").addHandler(Keep()); logging.getLogger("runspan").setLevel("INFO")
    import runspan
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("text") as server:
        yield server


def seen(peer: str, server: Server, order: tuple[str, ...], **env: str) -> dict[str, Any]:
    """What a child printed that did all this in this order. `peer`: one, or "one+other"."""
    peers = [PEERS[name] for name in peer.split("+")]
    for package, *_ in peers:
        if not _is_installed(package):
            pytest.skip(f"{package} is not installed")
    its_provider = next((one for _, _, one, _ in peers if one is not OTEL), OTEL)
    parts = {
        "peer": f"    {peers[0][-1]}\n",
        "other": f"    {peers[-1][-1]}\n",
        "runspan": ASSISTANTS,
        "peer off": "    I().uninstrument()\n",
        "runspan off": "    ok = handle.uninstrument(20); exported.clear()\n",
        "runs": "    used = [*used, assist(), asyncio.run(assist_async())]\n",
        "chat": "    chat()\n",
    }
    script = "".join(
        (
            HEAD,
            its_provider,
            "    provider.add_span_processor(SimpleSpanProcessor(exported))\n    used = []\n",
            THE_APP,
            *(parts[part] for part in order),
            TELL,
        )
    )
    lines = "\n".join(line[4:] for line in script.splitlines())
    ended = run(lines, environment(server, **{"RUNSPAN_NEIGHBOURS": "past", **env}), strict=False)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    assert found["ok"] is True
    assert found["errors"] == {}
    return found


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


ORDERS = {
    "before us": ("peer", "runspan", "runs", "runs", "chat"),
    "after us": ("runspan", "peer", "runs", "runs", "chat"),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("peer", PEERS)
def test_tokens_are_counted_once_and_every_run_is_seen(peer: str, order: str, server: Server) -> None:
    found = seen(peer, server, ORDERS[order])
    runs = [
        name for scope, name, _ in found["spans"] if scope == "runspan" and name == "invoke_agent Math Tutor"
    ]
    assert len(runs) == len(found["used"]) == 4
    assert sum(tokens for _, _, tokens in found["spans"]) == sum(found["used"])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("peer", PEERS)
def test_one_line_of_advice_and_everything_else_is_left_to_it(peer: str, order: str, server: Server) -> None:
    found = seen(peer, server, ORDERS[order])
    advice = [(level, line) for level, line in found["lines"] if ADVICE in line]
    assert [level for level, _ in advice] == ["INFO"]
    assert PEERS[peer][1] in advice[0][1]
    theirs = [name for scope, name, _ in found["spans"] if scope != "runspan"]
    assert theirs, "its span of the chat call"
    if order == "before us":  # the first call of all is theirs, too, where they come after us
        assert len(theirs) == 1, theirs


TOGETHER = list(itertools.permutations(("logfire", "openinference", "openllmetry"), 2))


@pytest.mark.parametrize("place", [0, 1, 2], ids=["us first", "us between", "us last"])
@pytest.mark.parametrize("pair", TOGETHER, ids="+".join)
def test_two_of_them_at_once_in_each_order(pair: tuple[str, str], place: int, server: Server) -> None:
    order = ["peer", "other"]
    order.insert(place, "runspan")
    found = seen("+".join(pair), server, (*order, "runs", "runs", "chat"))
    ours = [name for scope, name, _ in found["spans"] if scope == "runspan"]
    assert ours.count("invoke_agent Math Tutor") == len(found["used"]) == 4
    assert sum(tokens for _, _, tokens in found["spans"]) == sum(found["used"])
    advice = [line for _, line in found["lines"] if ADVICE in line]
    assert len(advice) == 2
    assert [any(PEERS[name][1] in line for line in advice) for name in pair] == [True, True]


@pytest.mark.parametrize("order", [("peer", "runspan"), ("runspan", "peer")], ids=["before us", "after us"])
def test_one_that_was_turned_off_before_us_stays_off(order: tuple[str, ...], server: Server) -> None:
    """OpenLLMetry 0.62 and AgentOps 0.4 name other objects than those they wrapped, so they stay on."""
    found = seen("openinference", server, (*order, "runs", "peer off", "runspan off", "runs", "chat"))
    assert len(found["used"]) == 4
    assert found["spans"] == []


@pytest.mark.parametrize("peer", PEERS)
def test_one_that_comes_between_two_runs_is_noticed_with_the_next(peer: str, server: Server) -> None:
    found = seen(peer, server, ("runspan", "runs", "peer", "runs", "runs", "chat"))
    assert len([1 for _, line in found["lines"] if ADVICE in line]) == 1
    assert sum(tokens for _, _, tokens in found["spans"]) == sum(found["used"])
    assert sum(name == "invoke_agent Math Tutor" for _, name, _ in found["spans"]) == 6


@pytest.mark.parametrize("order", [("runspan", "peer", "runs"), ("peer", "runspan", "runs")])
@pytest.mark.parametrize(
    "peer", sorted(PEERS.keys() - {"openllmetry"})
)  # which breaks the app there, alone as well
def test_by_default_it_has_its_own_spans_and_the_advice_says_so(
    peer: str, order: tuple[str, ...], server: Server
) -> None:
    found = seen(peer, server, order, RUNSPAN_NEIGHBOURS="")
    (advice,) = [(level, line) for level, line in found["lines"] if ADVICE in line]
    assert advice[0] == "INFO"
    assert "bypass_other_instrumentations=True" in advice[1]
    assert len([1 for scope, _, _ in found["spans"] if scope != "runspan"]) > 3
    assert (
        sum(name == "invoke_agent Math Tutor" for scope, name, _ in found["spans"] if scope == "runspan") == 2
    )


def test_logfire_on_one_client_gets_the_advice_to_wrap_them_all(server: Server) -> None:
    if not _is_installed("logfire"):
        pytest.skip("logfire is not installed")
    start = "logfire.instrument_openai(client)"
    before = PEERS["logfire"]
    PEERS["logfire"] = (*before[:3], start)
    try:
        found = seen("logfire", server, ("runspan", "peer", "runs"))
    finally:
        PEERS["logfire"] = before
    assert ["wraps single clients" in line for level, line in found["lines"] if level == "WARNING"] == [True]


def test_the_official_instrumentation_is_named_and_left_alone(server: Server) -> None:
    package = "opentelemetry.instrumentation.genai.openai"
    if not _is_installed(package):
        pytest.skip(f"{package} is not installed")
    PEERS["official"] = (
        package,
        "opentelemetry-instrumentation-genai-openai",
        OTEL,
        f"from {package} import OpenAIInstrumentor as I; I().instrument(tracer_provider=provider)",
    )
    try:
        found = seen("official", server, ORDERS["after us"])
    finally:
        del PEERS["official"]
    (advice,) = [(level, line) for level, line in found["lines"] if ADVICE in line]
    assert advice[0] == "INFO"
    assert "no spans for Assistants runs" in advice[1]
    assert sum(tokens for _, _, tokens in found["spans"]) == sum(found["used"])


# ---------------------------------------------------------------- made up


def of_openinference(source: str) -> Any:
    """What a source defines, as if it stood in that package."""
    namespace: dict[str, Any] = {"__name__": "openinference.instrumentation.openai._made_up"}
    exec(source, namespace)
    return namespace["wrap"]


WRAP = """
import functools
def wrap(wrapped, calls):
    @functools.wraps(wrapped)
    def request(self, *args, **kwargs):
        calls.append(args[1].url if len(args) > 1 else kwargs["options"].url)
        return wrapped(self, *args, **kwargs)
    return request
"""


WRAPPER = """
def wrapper_of(calls):
    def wrapper(wrapped, instance, args, kwargs):
        calls.append(wrapped)
        return wrapped(*args, **kwargs)
    return wrapper
"""


@pytest.fixture
def class_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client's class, put back after the test."""

    def get(kind: str) -> Any:
        owner = getattr(openai, kind)
        monkeypatch.setattr(owner, "request", owner.request, raising=False)
        monkeypatch.delattr(owner, "request")
        return owner

    return get


async def _whole_run(app: App) -> None:
    await app.ask()
    run = await app.polled(await app.started())
    assert run.status == "completed"
    await app.listed()
    with pytest.raises(openai.NotFoundError):
        await app.got(app.client.models.list())
    await app.got(app.client.files.list())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("comes", ["before", "after"])
def test_runs_go_past_it_and_all_else_through_it(
    comes: str, kind: str, class_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    owner, calls = class_of(kind), []
    with playing(kind) as app, caplog.at_level(logging.INFO, "runspan"):
        if comes == "before":
            owner.request = of_openinference(WRAP)(owner.request, calls)
            theirs = owner.request
        with (
            traced(bypass_other_instrumentations=True) as trace,
            spans_of_app_go_to(trace.provider),
        ):
            if comes == "after":
                owner.request = theirs = of_openinference(WRAP)(owner.request, calls)
                _look(trace)
            app.play(_whole_run)
            assert len(trace.runs()) == 1
        assert [url for url in calls if "threads" in url] == []
        assert {"/models", "/files"} <= set(calls)
        assert vars(owner)["request"] is theirs, "put back"
    assert [r.levelname for r in caplog.records if "OpenInference" in r.getMessage()] == ["INFO"]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("comes", ["before", "after"])
def test_by_default_it_sees_every_call_and_runspan_sees_every_run(
    comes: str, kind: str, class_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    owner, calls = class_of(kind), []
    with playing(kind) as app, caplog.at_level(logging.INFO, "runspan"):
        if comes == "before":
            owner.request = theirs = of_openinference(WRAP)(owner.request, calls)
        with traced() as trace, spans_of_app_go_to(trace.provider):
            if comes == "after":
                owner.request = theirs = of_openinference(WRAP)(owner.request, calls)
            app.play(_whole_run)
            assert [attribute(run, "runspan.run.status") for run in trace.runs()] == ["completed"]
            seen_at_server = [request.path.removeprefix("/v1") for request in app.server.requests]
        assert calls == [path.partition("?")[0] for path in seen_at_server][-len(calls) :]
        assert any(url.endswith("/runs") for url in calls)
        assert vars(owner)["request"] is theirs, "put back"
    advice = [r for r in caplog.records if "OpenInference" in r.getMessage()]
    assert [(r.levelname, "bypass_other_instrumentations=True" in r.getMessage()) for r in advice] == [
        ("INFO", True)
    ]


METHODS = import_module("openai.resources.beta.threads.messages").Messages


@pytest.fixture
def wrapped_list(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, list[Any]]:
    """The method that lists messages, what a tracer put around it, and the calls that this one saw."""
    original, calls = vars(METHODS)["list"], []
    namespace: dict[str, Any] = {"__name__": "opentelemetry.instrumentation.openai.made_up"}
    exec(WRAPPER, namespace)
    theirs = wrapt.FunctionWrapper(original, namespace["wrapper_of"](calls))
    monkeypatch.setattr(METHODS, "list", theirs)
    return original, theirs, calls


@pytest.mark.parametrize("is_off", [False, True], ids=["left on", "turned off"])
def test_a_method_is_put_back_unless_its_tracer_took_its_wrapper_off(wrapped_list: Any, is_off: bool) -> None:
    original, theirs, calls = wrapped_list
    with playing("OpenAI") as app, traced(bypass_other_instrumentations=True) as trace:
        app.play(_whole_run)
        assert calls == []
        if is_off:
            unwrap(METHODS, "list")
        trace.handle.uninstrument()
        assert vars(METHODS)["list"] is (original if is_off else theirs)


async def _lists_directly(app: App) -> None:
    app.client.beta.threads.messages.list(app.thread_id)


def test_a_method_that_goes_past_a_tracer_warns_where_the_app_calls_it(wrapped_list: Any) -> None:
    with (
        playing("OpenAI") as app,
        traced(bypass_other_instrumentations=True),
        pytest.warns(DeprecationWarning, match="deprecated") as said,
    ):
        app.play(_lists_directly)
    assert {warning.filename for warning in said} == {__file__}


def test_of_two_that_wrap_the_same_method_both_are_named(
    class_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    owner = class_of("OpenAI")
    inner: dict[str, Any] = {"__name__": "logfire._internal.made_up"}
    exec(WRAP, inner)
    owner.request = of_openinference(WRAP)(inner["wrap"](owner.request, []), [])
    with caplog.at_level(logging.INFO, "runspan"), traced():
        said = [r.getMessage() for r in caplog.records if "other-tracers.md" in r.getMessage()]
    assert len(said) == 2
    assert [name in "".join(said) for name in ("OpenInference", "Logfire")] == [True, True]


def _look(trace: Any) -> None:
    """As at the beginning of a run."""
    trace.handle._neighbours.look()


SUPPRESSING = """
import functools
from opentelemetry import context
def wrap(wrapped, tracer):
    @functools.wraps(wrapped)
    def request(self, *args, **kwargs):
        with tracer.start_as_current_span("theirs"):
            token = context.attach(context.set_value("suppress_instrumentation", True))
            try:
                return wrapped(self, *args, **kwargs)
            finally:
                context.detach(token)
    return request
"""


def test_a_run_under_a_neighbours_own_suppression_is_seen_and_the_next_goes_past_it(class_of: Any) -> None:
    """Logfire switches off whatever instrumentation is below its spans."""
    owner = class_of("OpenAI")
    namespace: dict[str, Any] = {"__name__": "logfire._internal.made_up"}
    exec(SUPPRESSING, namespace)
    with (
        playing("OpenAI") as app,
        traced(bypass_other_instrumentations=True) as trace,
        spans_of_app_go_to(trace.provider),
    ):
        owner.request = namespace["wrap"](owner.request, trace.provider.get_tracer("logfire.openai"))
        app.play(_two_runs)
        theirs = [span for span in trace.spans() if span.name == "theirs"]
        assert [attribute(run, "runspan.run.status") for run in trace.runs()] == ["completed"] * 2
        first, second = sorted(trace.runs(), key=lambda run: run.start_time or 0)
        assert first.parent is not None
        assert first.parent.span_id in {span.context.span_id for span in theirs}
        assert second.parent is None


async def _two_runs(app: App) -> None:
    for _ in range(2):
        run = await app.got(app.runs.create(**app.asked))
        await app.flushed()  # the look is over
        await app.polled(run)
        await app.listed()


def test_suppression_by_the_app_itself_is_meant_for_us_too() -> None:
    with playing("OpenAI") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        token = context.attach(context.set_value("suppress_instrumentation", True))
        try:
            app.play(_two_runs)
        finally:
            context.detach(token)
        assert {span.name for span in trace.spans()} == {"poll"}, "the app's own alone"


def test_a_stranger_that_hides_the_way_to_us_is_named(
    class_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    owner, calls = class_of("OpenAI"), []
    namespace: dict[str, Any] = {"__name__": "some_app.retries"}
    exec(WRAP, namespace)
    owner.request = namespace["wrap"](owner.request, calls)
    with caplog.at_level(logging.INFO, "runspan"), traced():
        said = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(said) == 1
    assert "OpenAI.request was replaced (some_app.retries) before" in said[0]


def test_one_that_wraps_ours_is_no_stranger(class_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    owner, calls = class_of("OpenAI"), []
    namespace: dict[str, Any] = {"__name__": "some_app.retries"}
    exec(WRAP, namespace)
    with playing("OpenAI") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        owner.request = namespace["wrap"](owner.request, calls)
        with caplog.at_level(logging.INFO, "runspan"):
            app.play(_whole_run)
        assert len(trace.runs()) == 1
        assert [url for url in calls if "threads" in url] != [], "it is the app's; nobody goes past it"
    assert caplog.records == []


def test_nothing_is_said_and_nothing_is_changed_without_neighbours(caplog: pytest.LogCaptureFixture) -> None:
    with playing("OpenAI") as app, caplog.at_level(logging.INFO, "runspan"), traced() as trace:
        app.play(_whole_run)
        assert trace.handle._neighbours._put == []
    assert "request" not in vars(openai.OpenAI)
    assert not [r for r in caplog.records if "other-tracers.md" in r.getMessage()]
