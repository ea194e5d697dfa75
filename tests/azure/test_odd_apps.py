"""Agents clients as apps set them up: own policies, sessions and projects, errors that travel, keys in odd places."""

from __future__ import annotations

import contextlib
import copy
import gc
import gzip
import pickle
import weakref
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from runspan.clients.azure_core.background import Background
from runspan.clients.azure_core.pipelines import Rest, transport_of
from runspan.fake import HttpError, Server, serve
from runspan.runtime.fetcher import Unavailable
from tests.azure.agents_app import KINDS, AgentsApp, agents_client, playing_agents
from tests.support.listening import Handler, listening
from tests.support.odd_server import Odd, odd_server
from tests.support.tracing import attribute, dies_with_its_app, traced

KEY = "key-in-an-odd-place"
RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "status": "completed"}
EVENTS = b'event: thread.run.completed\ndata: {"id":"run_1","thread_id":"thread_1","status":"completed"}\n\n'


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def policies() -> Any:
    return import_module("azure.core.pipeline.policies")


def asked(app: AgentsApp) -> dict[str, Any]:
    return {"thread_id": app.thread_id, "agent_id": app.assistant_id}


def refused(kind: str, error: HttpError, *, stream: bool = False, **options: Any) -> Any:
    """The error that an app gets whose run the server refuses. `call`: options of the call."""
    call = options.pop("call", {})

    async def case(app: AgentsApp) -> Any:
        make = app.agents.runs.stream if stream else app.agents.runs.create
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the client makes of it
            await app.got(make(**asked(app), **call))
        return caught.value

    with playing_agents(kind, retry_total=0, **options) as app:
        app.server.inject(error, method="POST", path="*/runs")
        return app.play(case)


def played(kind: str, odd: Odd, case: Callable[[AgentsApp], Any]) -> Any:
    """What a case gives with a client of the odd server."""
    with playing_agents(kind, retry_total=0, endpoint=odd.base_url) as app:
        return app.play(case)


# ---------------------------------------------------------------- keys


def test_a_key_with_a_line_end_is_masked_in_the_error_that_it_causes(kind: str) -> None:
    """Files have keys so, and `requests` shows the header that it refuses."""
    policy = policies().HeadersPolicy({"api-key": f"{KEY}\n"})
    with traced() as trace:
        error = refused(kind, HttpError(400, "It never comes there."), authentication_policy=policy)
        assert kind == "aio" or KEY in str(error)
        assert KEY not in str(trace.run().status.description)


def test_a_key_in_the_query_is_masked_wherever_it_is_repeated(kind: str) -> None:
    refusal = HttpError(401, f"Nobody has the key {KEY}")
    with traced() as trace:
        assert KEY in refused(kind, refusal, call={"params": {"subscription-key": KEY}}).message
        assert trace.run().status.description == "Nobody has the key <masked>"


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy])
def test_an_error_of_a_stream_travels_as_without_runspan(kind: str, travel: Callable[[Any], Any]) -> None:
    """From a worker process to its parent, with the response."""

    def arrived() -> Any:
        error = travel(refused(kind, HttpError(400, "No."), stream=True))
        body = error.response.iter_bytes()
        return type(error), error.message, error.response.text(), type(body)

    bare = arrived()
    with traced():
        assert arrived() == bare


def test_a_refused_stream_whose_body_a_policy_has_read_is_an_error_of_its_run(kind: str) -> None:
    class Reading(policies().SansIOHTTPPolicy):  # type: ignore[misc]
        def on_response(self, request: Any, response: Any) -> Any:
            return response.http_response.read()

    with traced() as trace:
        error = refused(kind, HttpError(400, "No."), stream=True, per_call_policies=[Reading()])
        assert trace.run().status.description == "No."
        assert error.response.text()


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_a_stream_that_is_read_as_it_came_is_read_by_us_too(
    kind: str, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    async def case(app: AgentsApp) -> bytes:
        stream = app.agents.runs.stream(**asked(app), cls=lambda result, *_: result.http_response.iter_raw())
        return b"".join(await app.each((await app.got(stream)).response_iterator))

    with odd_server() as odd, traced() as trace:
        sent = encode(EVENTS)  # once: the time stands in it
        odd.whole = {"content-type": "text/event-stream", "content-encoding": encoding}, [sent]
        assert played(kind, odd, case) == sent
        assert attribute(trace.run(), "runspan.run.status") == "completed"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd, gzip"])
def test_what_is_not_compressed_as_its_server_says_is_no_fault_of_ours(kind: str, encoding: str) -> None:
    async def case(app: AgentsApp) -> bytes:
        stream = app.agents.runs.stream(**asked(app), cls=lambda result, *_: result.http_response.iter_raw())
        return b"".join(await app.each((await app.got(stream)).response_iterator))

    with odd_server() as odd, traced() as trace:
        odd.whole = {"content-type": "text/event-stream", "content-encoding": encoding}, [EVENTS, EVENTS]
        assert played(kind, odd, case) == EVENTS + EVENTS
        assert attribute(trace.run(), "runspan.run.unfinished") == "stream_closed"


def test_a_run_with_bytes_that_are_no_text_is_read_as_the_client_reads_it(kind: str) -> None:
    body = b'{"id":"run_1","thread_id":"thread_1","status":"%s","model":"m","instructions":"\xe9"}'

    async def case(app: AgentsApp) -> Any:
        run = await app.got(app.agents.runs.create(**asked(app)))
        return (await app.got(app.agents.runs.get(app.thread_id, run.id))).instructions

    with odd_server() as odd, traced() as trace:
        odd.bodies = {("POST", "runs"): [body % b"queued"], ("GET", "runs/one"): [body % b"completed"]}
        assert played(kind, odd, case) == "�"
        assert attribute(trace.run(), "runspan.run.status") == "completed"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (b"event: error\ndata: boom\n\n", "boom"),
        (b'event: error\ndata: {"error": "boom"}\n\n', "boom"),
        (b'data: {"error": "boom"}\n\n', "boom"),
        (b'data: {"error": {"message": "boom"}}\n\n', "boom"),
    ],
)
def test_the_text_of_an_error_in_a_stream_is_the_runs(event: bytes, told: str) -> None:
    async def case(app: AgentsApp) -> None:
        stream = app.agents.runs.stream(**asked(app))
        with contextlib.suppress(ValueError):  # the client, of events without names
            stream.event_handler.until_done()

    with odd_server() as odd, traced() as trace:
        odd.whole = {"content-type": "text/event-stream"}, [EVENTS.replace(b"completed", b"queued"), event]
        played("sync", odd, case)
        trace.handle.uninstrument()
        assert trace.run().status.description == told


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error": {"code": "full", "message": "boom"}}', ("full", "boom")),
        (b'{"error": "boom"}', ("500", "boom")),
        (b'{"detail": "boom"}', ("500", "boom")),
        (b'{"code": "full", "message": "boom"}', ("full", "boom")),
        (b'{"detail": [{"msg": "boom"}]}', ("500", "500")),
        (b"[]", ("500", "500")),
    ],
)
def test_a_refusal_says_what_its_server_says(kind: str, stream: bool, body: bytes, told: Any) -> None:
    class Refusing(Handler):
        def do_POST(self) -> None:
            self.body()
            self.answer(500, body)

    async def case(app: AgentsApp) -> None:
        with contextlib.suppress(Exception):
            await app.got((app.agents.runs.stream if stream else app.agents.runs.create)(**asked(app)))

    with listening(Refusing) as address, traced() as trace:
        with playing_agents(kind, retry_total=0, endpoint=address) as app:
            app.play(case)
        run = trace.run()
        assert (attribute(run, "error.type"), run.status.description) == told


# ---------------------------------------------------------------- where it sends


@pytest.mark.parametrize("project", ["threads", "assistants", "vector_stores", "threads/runs"])
def test_a_project_may_be_called_like_a_path_of_the_api(project: str) -> None:
    with odd_server() as odd, traced(calls="all") as trace:
        odd.bodies = {("POST", "runs"): [RUN | {"status": "queued"}], ("GET", "runs/one"): [RUN]}
        endpoint = f"{odd.base_url}/api/projects/{project}"
        with agents_client("sync", None, endpoint=endpoint) as client:
            client.threads.create()
            client.create_agent(model="m")
            client.create_thread_and_process_run(agent_id="asst_1", polling_interval=0)
        assert attribute(trace.run(), "runspan.run.status") == "completed"
        trace.handle.uninstrument()
        names = {span.name for span in trace.exporter.get_finished_spans()}
        assert names == {"create_thread", "create_agent", "invoke_agent", "chat"}


@pytest.mark.parametrize("stream", [False, True])
def test_an_address_that_is_none_is_the_apps_to_hear_of(kind: str, stream: bool) -> None:
    with traced() as trace:
        refused(kind, HttpError(400, "unused"), stream=stream, endpoint="http://127.0.0.1:99999")
        assert trace.spans() == []


# ---------------------------------------------------------------- what is fetched later


def fetches(kind: str, *, closes: bool, **options: Any) -> dict[str, int]:
    """Of a run whose messages the app did not read."""

    async def case(app: AgentsApp) -> None:
        await app.got(app.agents.runs.create_and_process(**asked(app), polling_interval=0))
        if not closes:
            await app.flushed()

    with playing_agents(kind, **options) as app, traced(fetch="auto", settle_s=0.0) as trace:
        app.play(case)
        trace.spans()
        return dict(trace.handle.stats().fetches)


def test_a_policy_that_is_only_called_like_retries_takes_no_options_of_theirs() -> None:
    class RetryNever(policies().HTTPPolicy):  # type: ignore[misc]
        def send(self, request: Any) -> Any:
            return self.next.send(request)

    assert fetches("sync", closes=True, retry_policy=RetryNever()) == {"done": 1}


@pytest.mark.parametrize("refusal", [429, 503])
def test_a_server_that_is_busy_is_asked_once(refusal: int) -> None:
    """Whatever the app's own policy of retries says; runspan asks again later."""
    with playing_agents("sync") as app:
        background = Background(app.agents._client._pipeline)
        app.server.inject(HttpError(refusal, "Busy."), method="GET", times=5)
        before = len(app.server.requests)
        with pytest.raises(Unavailable):
            background.get(app.server.base_url, {}, "/threads/x/messages", {}, 5.0)
        assert len(app.server.requests) == before + 1


def test_a_server_that_is_gone_is_unavailable() -> None:
    with playing_agents("sync") as app:
        background = Background(app.agents._client._pipeline)
    with pytest.raises(Unavailable):
        background.get("http://127.0.0.1:1", {}, "/threads/x/messages", {}, 5.0)


@pytest.mark.parametrize(("closes", "outcome"), [(False, "done"), (True, "impossible")])
def test_credentials_go_through_the_apps_own_session_alone(closes: bool, outcome: str) -> None:
    """It may lead through a proxy, or to one certificate alone; another one in its place would not."""
    session = import_module("requests").Session()
    transport = import_module("azure.core.pipeline.transport").RequestsTransport(session=session)
    assert fetches("sync", closes=closes, transport=transport) == {outcome: 1}


def test_another_transport_in_place_of_a_closed_one_is_set_up_like_it() -> None:
    with agents_client(
        "sync", None, endpoint="http://h", connection_timeout=7, use_env_settings=False
    ) as client:
        rest = Rest(client._client._pipeline)
    with rest.opened() as opened:
        transport = transport_of(opened)
        assert (transport.connection_config.timeout, transport.session.trust_env) == (7, False)


# ---------------------------------------------------------------- ends


def test_a_run_that_lives_keeps_nothing_open_of_a_client_that_is_gone() -> None:
    def used(server: Server) -> weakref.ref[Any]:
        client = agents_client("sync", server)
        agent = client.create_agent(model="m", instructions="x")
        client.create_thread_and_run(agent_id=agent.id)
        return weakref.ref(transport_of(client._client._pipeline))

    with serve("slow") as server, traced() as trace:
        transport = used(server)
        assert trace.spans() == []
        gc.collect()
        assert transport() is None


def test_a_client_that_its_own_policy_leads_back_to_dies_with_its_app() -> None:
    class Knowing(policies().SansIOHTTPPolicy):  # type: ignore[misc]
        client: Any = None

    def used(server: Server) -> weakref.ref[Any]:
        policy = Knowing()
        with agents_client("sync", server, per_call_policies=[policy]) as client:
            policy.client = client
            agent = client.create_agent(model="m", instructions="x")
            client.create_thread_and_process_run(agent_id=agent.id, polling_interval=0)
        return weakref.ref(client)

    assert dies_with_its_app(used)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_of_a_client_that_ran_are_clients_of_their_own(copied: Callable[[Any], Any]) -> None:
    with playing_agents("sync") as app, traced(fetch="auto", settle_s=0.0) as trace:
        pipeline = app.agents._client._pipeline
        for _ in range(2):
            app.agents.runs.create_and_process(**asked(app), polling_interval=0)
            pipeline = app.agents._client._pipeline = copied(pipeline)
        app.agents.close()
        assert len(trace.runs()) == 2
        assert trace.handle.stats().fetches == {"done": 2}
