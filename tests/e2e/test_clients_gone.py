"""What a run lacks is fetched whatever becomes of the client that made it, by requests like the app's own."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import openai
import pytest
from tests.support.forwarding import forwarding
from tests.support.playing import ALL_FOUR, ANSWER, ANSWERED, BOTH, INSTRUCTIONS, MODEL, QUESTION, drive
from tests.support.slices import few
from tests.support.tracing import Traced, texts, traced

import runspan
from runspan.fake import HttpError, Server, SimulatedClock, Slow, serve
from runspan.runtime import fetcher

Factory = Callable[[], Any]
NOT_COMPARED = {"x-runspan", "x-stainless-raw-response", "x-stainless-read-timeout"}


@pytest.fixture(autouse=True)
def no_get_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(fetcher, "TIMEOUT_S", 120.0)


class Desk:
    """A server with an assistant, and clients of one kind for it."""

    def __init__(self, kind: str, server: Server) -> None:
        self.kind, self.server = kind, server
        with openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0) as setting_up:
            self.assistant_id = setting_up.beta.assistants.create(model=MODEL, instructions=INSTRUCTIONS).id

    @property
    def is_async(self) -> bool:
        return self.kind.startswith("Async")

    def client(self, of: Any = None, **options: Any) -> Any:
        """No connection stays open: one of a dropped async client could not be closed."""
        where = (
            {"azure_endpoint": self.server.azure_endpoint, "api_version": "2024-05-01-preview"}
            if "Azure" in self.kind
            else {"base_url": self.server.base_url}
        )
        given = {
            "api_key": "k",
            "max_retries": 0,
            "default_query": {"tenant": "t 1"},
            "default_headers": {"X-Tenant": "t1", "Connection": "close"},
            **where,
            **options,
        }
        return (of or getattr(openai, self.kind))(**given)

    def http_client(self, **options: Any) -> Any:
        kind = openai.DefaultAsyncHttpxClient if self.is_async else openai.DefaultHttpxClient
        return kind(verify=False, **options)

    async def got(self, value: Any) -> Any:
        return await value if self.is_async else value

    async def run(self, client: Factory) -> None:
        """A run that the app polls to its end, and whose messages it never reads."""
        run = await self.got(
            client().beta.threads.create_and_run(
                assistant_id=self.assistant_id, thread={"messages": [{"role": "user", "content": QUESTION}]}
            )
        )
        while run.status in ("queued", "in_progress"):
            run = await self.got(client().beta.threads.runs.retrieve(run.id, thread_id=run.thread_id))

    def requests(self, *, ours: bool) -> list[Any]:
        return [r for r in self.server.requests if ("x-runspan" in r.headers) is ours and r.method == "GET"]


# Each makes a run and loses its client in its own way; what it returns stays alive.
Way = Callable[[Desk], Awaitable[Any]]


async def kept(desk: Desk) -> Any:
    client = desk.client()
    await desk.run(lambda: client)
    return client


async def closed(desk: Desk) -> Any:
    client = await kept(desk)
    await desk.got(client.close())
    return client


async def closed_by_with(desk: Desk) -> Any:
    if desk.is_async:
        async with desk.client() as client:
            await desk.run(lambda: client)
    else:
        with desk.client() as client:
            await desk.run(lambda: client)
    return client


async def dropped(desk: Desk) -> Any:
    await kept(desk)


async def closed_and_dropped(desk: Desk) -> Any:
    await closed(desk)


async def copied_for_each_call(desk: Desk) -> Any:
    client = desk.client()
    await desk.run(lambda: client.with_options(timeout=30))
    return client


async def copied_and_the_original_closed(desk: Desk) -> Any:
    client = desk.client()
    copy = client.with_options(max_retries=1)
    await desk.run(lambda: copy)
    await desk.got(client.close())
    return copy


async def copied_and_both_dropped(desk: Desk) -> Any:
    copy = desk.client().with_options(max_retries=1)
    await desk.run(lambda: copy)


async def made_for_each_call(desk: Desk) -> Any:
    await desk.run(desk.client)


async def with_an_http_client_of_the_apps_that_is_closed(desk: Desk) -> Any:
    client = desk.client(http_client=desk.http_client())
    await desk.run(lambda: client)
    await desk.got(client.close())


async def with_an_http_client_of_the_apps_that_outlives_it(desk: Desk) -> Any:
    http = desk.http_client()
    client = desk.client(http_client=http)
    await desk.run(lambda: client)
    return http


async def of_a_class_of_the_apps(desk: Desk) -> Any:
    """Its constructor is its own, so no copy can be made by it (Fabric's data agents are such a class)."""
    base = getattr(openai, desk.kind)

    class Agents(base):  # type: ignore[misc, valid-type]
        def __init__(self, only: dict[str, Any]) -> None:
            super().__init__(**only)

    client = desk.client(of=lambda **given: Agents(given))
    await desk.run(lambda: client)
    await desk.got(client.close())


async def with_a_method_replaced_by_another_tracer(desk: Desk) -> Any:
    client = desk.client()
    client.request = client.request  # a bound method of this very client: it would keep it alive
    await desk.run(lambda: client)
    await desk.got(client.close())


WAYS: tuple[Way, ...] = (
    kept,
    closed,
    closed_by_with,
    dropped,
    closed_and_dropped,
    copied_for_each_call,
    copied_and_the_original_closed,
    copied_and_both_dropped,
    made_for_each_call,
    with_an_http_client_of_the_apps_that_is_closed,
    with_an_http_client_of_the_apps_that_outlives_it,
    of_a_class_of_the_apps,
    with_a_method_replaced_by_another_tracer,
)

LATER = ("on its loop", "after its loop")


def play(desk: Desk, way: Way, when: str = LATER[1]) -> None:
    """The run, the loss, and then the flush."""

    async def case() -> Any:
        stays = await way(desk)
        gc.collect()
        if desk.is_async and when == LATER[0]:
            assert await runspan.aflush(60)
        return stays

    stays = drive(case(), is_async=desk.is_async)
    gc.collect()
    assert runspan.flush(60)
    del stays
    gc.collect()


def output(trace: Traced) -> list[str]:
    return texts(trace.generation(), "output")


# Azure's clients differ in their addresses and credentials; a sync one has no loop to end.
CASES = few(
    (case for case in product(ALL_FOUR, WAYS, LATER) if case[0].startswith("Async") or case[2] != LATER[0]),
    lambda case: "Azure" not in case[0] or case[1] in (closed, dropped),
)


@pytest.mark.parametrize(("kind", "way", "when"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_it_is_fetched_by_a_request_like_the_apps_own(
    kind: str, way: Way, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        desk = Desk(kind, server)
        with traced(fetch="auto", settle_s=60.0) as trace:
            play(desk, way, when)
            assert output(trace) == [ANSWER]
            assert trace.handle.stats().fetches == {"done": 1}
            assert trace.handle.stats().missing == {}
        (ours,), apps = desk.requests(ours=True), desk.requests(ours=False)[-1]
    assert ours.path.endswith("/messages")
    assert headers(ours) == headers(apps)
    assert {k: v for k, v in ours.query.items() if k not in ("limit", "order")} == apps.query
    assert caplog.records == []


def headers(request: Any) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name not in NOT_COMPARED}


# ---------------------------------------------------------------- transports and credentials


@pytest.mark.parametrize("way", [kept, closed, dropped, made_for_each_call], ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", BOTH)
def test_where_a_proxy_is_the_only_way_out_it_is_ours_too(
    kind: str, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server, forwarding(server.base_url) as proxy:
        desk = Desk(kind, server)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        desk.client = lambda of=None, **options: Desk.client(  # type: ignore[method-assign]
            desk, of, **{"base_url": "http://assistants.invalid/v1", **options}
        )
        with traced(fetch="auto", settle_s=60.0) as trace:
            play(desk, way)
            assert output(trace) == [ANSWER]
    assert len(proxy.hosts) == len(server.requests) - 1
    assert set(proxy.hosts) == {"assistants.invalid"}


@pytest.mark.parametrize("kind", BOTH)
def test_a_closed_client_leaves_its_own_proxy_and_auth_to_ours(kind: str) -> None:
    async def way(desk: Desk) -> Any:
        with_proxy = desk.http_client(transport=None, mounts=None, trust_env=False, proxy=proxy.url)
        with_proxy.auth = ("user", "word")
        client = desk.client(http_client=with_proxy, base_url="http://assistants.invalid/v1")
        await desk.run(lambda: client)
        await desk.got(client.close())

    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server, forwarding(server.base_url) as proxy:
        desk = Desk(kind, server)
        with traced(fetch="auto", settle_s=60.0) as trace:
            play(desk, way)
            assert output(trace) == [ANSWER]
        (ours,), apps = desk.requests(ours=True), desk.requests(ours=False)[-1]
    assert headers(ours) == headers(apps)
    assert len(proxy.hosts) == len(server.requests) - 1


def own_transport(kind: str, real: Any) -> Any:
    """A transport that the app wrote: nobody knows how to make another one."""
    base = type(real._transport).__mro__[1]

    class OfTheApp(base):  # type: ignore[misc, valid-type]
        def handle_request(self, request: Any) -> Any:
            return real._transport.handle_request(request)

        async def handle_async_request(self, request: Any) -> Any:
            return await real._transport.handle_async_request(request)

    return OfTheApp()


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("way", ["kept", "closed"])
def test_a_transport_that_the_app_wrote_is_used_while_it_is_open_and_never_copied(
    kind: str, way: str
) -> None:
    async def lose(desk: Desk) -> Any:
        real = desk.http_client()
        client = desk.client(http_client=desk.http_client(transport=own_transport(kind, real)))
        await desk.run(lambda: client)
        if way == "closed":
            await desk.got(client.close())
        elif desk.is_async:
            assert await runspan.aflush(60)
        else:
            assert runspan.flush(60)
        if desk.is_async:
            await real.aclose()
        else:
            real.close()
        return client

    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        desk = Desk(kind, server)
        with traced(fetch="auto", settle_s=60.0) as trace:
            play(desk, lose, LATER[0])
            run = trace.run()
            stats = trace.handle.stats()
    assert run.attributes is not None
    if way == "kept":
        assert (stats.fetches, stats.missing) == ({"done": 1}, {})
        assert "runspan.run.missing" not in run.attributes
    else:
        assert (stats.fetches, stats.missing) == ({"impossible": 1}, {"messages": 1})
        assert run.attributes["runspan.run.missing"] == ("messages",)


def credentials(kind: str, failing: list[bool]) -> dict[str, Any]:
    """A provider of tokens, as the app gives it to a client of this kind."""

    def token() -> str:
        if failing:
            raise RuntimeError("no token here")
        return "token"

    async def async_token() -> str:
        await asyncio.sleep(0)
        return token()

    provider = async_token if kind.startswith("Async") else token
    name = "azure_ad_token_provider" if "Azure" in kind else "api_key"
    return {"api_key": None, name: provider}


@pytest.mark.parametrize("is_failing", [False, True])
@pytest.mark.parametrize("when", LATER)
@pytest.mark.parametrize("kind", ALL_FOUR)
def test_providers_of_tokens_are_asked_and_may_fail(
    kind: str, when: str, is_failing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "Azure" not in kind and not hasattr(openai.OpenAI, "_refresh_api_key"):
        pytest.skip("this version's api_key is a string")
    monkeypatch.delenv("AZURE_OPENAI_API_KEY", raising=False)
    failing: list[bool] = []

    async def way(desk: Desk) -> Any:
        client = desk.client(**credentials(kind, failing))
        await desk.run(lambda: client)
        await desk.got(client.close())
        failing.extend([True] * is_failing)

    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        desk = Desk(kind, server)
        with traced(fetch="auto", settle_s=60.0) as trace:
            play(desk, way, when)
            assert output(trace) == ([] if is_failing else [ANSWER])
            assert trace.handle.stats().fetches == ({"impossible": 1} if is_failing else {"done": 1})
        ours = desk.requests(ours=True)
    if not is_failing:
        assert ours


# ---------------------------------------------------------------- what goes wrong under our GET


def _slow(server: Server) -> None:
    server.inject(Slow(1.0), method="GET", path="/threads/*/messages", times=1)


async def _our_get(desk: Desk) -> None:
    """Until it is under way."""
    for _ in range(2_000):
        if desk.requests(ours=True):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("nothing was asked")


def _run_until_complete(coroutine: Any) -> Any:
    """A loop that nobody tidies up: what runs on it is neither cancelled nor waited for."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def _uvloop(coroutine: Any) -> Any:
    try:
        import uvloop
    except ImportError:
        coroutine.close()
        pytest.skip("uvloop is not installed")
    return uvloop.run(coroutine)


async def with_hooks_that_belong_to_its_loop(desk: Desk) -> Any:
    client = desk.client(http_client=desk.http_client(event_hooks={"request": [_hook]}))
    await desk.run(lambda: client)
    return client


async def _hook(request: Any) -> None:
    await asyncio.sleep(0)


ENDED = few(
    product(
        [k for k in ALL_FOUR if "Async" in k],
        [kept, with_hooks_that_belong_to_its_loop],
        [asyncio.run, _run_until_complete, _uvloop],
    ),
    lambda case: case[0] == "AsyncOpenAI" and case[1:] != (kept, _run_until_complete),
)


@pytest.mark.parametrize(("kind", "way", "run"), ENDED, ids=lambda one: getattr(one, "__name__", one))
def test_a_loop_that_ends_under_our_get_costs_nothing(
    kind: str, way: Way, run: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def case(desk: Desk) -> Any:
        _slow(desk.server)
        client = await way(desk)
        await _our_get(desk)
        return client

    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        desk = Desk(kind, server)
        with traced(fetch="auto", settle_s=0.0) as trace:
            stays = run(case(desk))
            gc.collect()
            assert runspan.flush(60)
            assert output(trace) == [ANSWER]
            assert trace.handle.stats().fetches == {"done": 1}
            assert len(desk.requests(ours=True)) == (1 if way is kept else 2), "the twin asked again"
            del stays
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("kind", [k for k in ALL_FOUR if "Async" in k])
def test_a_client_that_is_closed_under_our_get_costs_nothing(kind: str) -> None:
    async def case(desk: Desk) -> None:
        client = await kept(desk)
        _slow(desk.server)
        await _our_get(desk)
        await client.close()
        assert await runspan.aflush(60)

    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        desk = Desk(kind, server)
        with traced(fetch="auto", settle_s=0.0) as trace:
            asyncio.run(case(desk))
            assert output(trace) == [ANSWER]
            assert trace.handle.stats().fetches == {"done": 1}


def test_a_loop_that_the_app_blocks_is_not_waited_for() -> None:
    """The GET goes another way; nothing of ours is left on the loop."""

    async def case(desk: Desk, trace: Traced) -> None:
        client = await kept(desk)
        done = asyncio.get_running_loop().run_in_executor(None, runspan.flush, 60)
        while not trace.exporter.get_finished_spans():  # the app computes something
            pass
        assert await done
        assert len(asyncio.all_tasks()) == 1
        await client.close()

    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        desk = Desk("AsyncOpenAI", server)
        with traced(fetch="auto", settle_s=60.0) as trace:
            asyncio.run(case(desk, trace))
            assert output(trace) == [ANSWER]


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("kind", BOTH)
def test_what_the_server_refuses_is_missing_and_said_so(kind: str, status: int) -> None:
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        desk = Desk(kind, server)
        server.inject(HttpError(status, "No."), method="GET", path="/threads/*/messages", times=99)
        with traced(fetch="auto", settle_s=60.0) as trace:
            play(desk, closed)
            assert (trace.run().attributes or {})["runspan.run.missing"] == ("messages",)
            assert trace.handle.stats().missing == {"messages": 1}


# ---------------------------------------------------------------- nothing of the app's is held


@pytest.mark.parametrize("kind", BOTH)
def test_no_client_and_no_connection_is_kept_open_for_a_run_that_lives(kind: str) -> None:
    import weakref

    async def case(desk: Desk) -> list[Any]:
        client = desk.client()
        await desk.got(client.beta.threads.create_and_run(assistant_id=desk.assistant_id))
        seen = [weakref.ref(client), weakref.ref(client._client)]
        await desk.got(client.close())
        return seen

    with serve(ANSWERED, SimulatedClock()) as server:
        desk = Desk(kind, server)
        with traced(fetch="auto", settle_s=60.0) as trace:
            gone = drive(case(desk), is_async=desk.is_async)
            gc.collect()
            assert [one() for one in gone] == [None, None]
            assert runspan.flush(60)
            assert trace.handle.stats().live == 1
