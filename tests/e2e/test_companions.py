"""What stands around the client in an app: retries, doubles of its transport, LangChain. The same with runspan, but the spans.

`make test-matrix` has an environment for what is not installed here.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import openai
import pytest
from behaviours import outcome
from tests.support.app import _http_library
from tests.support.playing import BOTH, App, client_of, playing
from tests.support.tracing import attribute, traced
from ways_tools import ASKING

both_clients = pytest.mark.parametrize("kind", BOTH)
HTTP = _http_library()
RUN = {
    "id": "run_1",
    "object": "thread.run",
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "created_at": 1_700_000_000,
    "model": "gpt-4o",
    "tools": [],
}
ANSWERS: Mapping[str, Any] = {
    "POST /v1/threads/runs": {**RUN, "status": "queued"},
    "GET /v1/threads/thread_1/runs/run_1": {**RUN, "status": "completed", "completed_at": 1_700_000_001},
    "GET /v1/threads/thread_1/messages": {"object": "list", "data": [], "has_more": False},
}


def needed(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def with_and_without(play: Callable[[], Any]) -> list[str]:
    """The statuses of the run spans of `play`, which gives the same value either way."""
    bare = play()
    with traced() as trace:
        assert play() == bare
        trace.handle.uninstrument()  # what still lives goes out
        found = trace.exporter.get_finished_spans()
    runs = [span for span in found if attribute(span, "gen_ai.operation.name") == "invoke_agent"]
    return sorted(str(attribute(run, "runspan.run.status") or "refused") for run in runs)


# ---------------------------------------------------------------- tenacity


@both_clients
def test_retries_of_tenacity_are_runs_of_their_own(kind: str) -> None:
    tenacity = needed("tenacity")
    attempts: list[int] = []

    async def case(app: App) -> Any:
        trying = tenacity.retry(
            stop=tenacity.stop_after_attempt(3),
            retry=tenacity.retry_if_exception_type(openai.InternalServerError),
            after=lambda state: attempts.append(state.attempt_number),
            reraise=True,
        )
        await app.ask()
        app.server.inject("server_error", path="*/runs", method="POST", times=2)

        def attempt() -> Any:
            return app.runs.create_and_poll(**app.asked)

        async def aattempt() -> Any:
            return await app.runs.create_and_poll(**app.asked)

        run = await app.got(trying(aattempt if app.is_async else attempt)())
        await app.listed()
        return run.to_dict()

    def play() -> Any:
        attempts.clear()
        with playing(kind, seed=7) as app:
            return app.play(case), list(attempts), [(r.method, r.path, r.status) for r in app.server.requests]

    assert with_and_without(play) == ["completed", "refused", "refused"]


# ---------------------------------------------------------------- doubles of the transport


async def _whole_run(app: App) -> Any:
    run = await app.got(app.threads.create_and_run(assistant_id="asst_1"))
    run = await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))
    page = await app.got(app.threads.messages.list(run.thread_id))
    return run.to_dict(), [m.to_dict() for m in page.data]


def _client(kind: str, **options: Any) -> Any:
    return getattr(openai, kind)(base_url="http://api.test/v1", api_key="none", max_retries=0, **options)


def _default(kind: str) -> Any:
    return openai.DefaultAsyncHttpxClient if kind.startswith("Async") else openai.DefaultHttpxClient


def _played(kind: str, client: Any) -> Any:
    return App(kind, client, None).play(_whole_run)  # type: ignore[arg-type]


def _answer(request: Any) -> Any:
    found = ANSWERS.get(f"{request.method} {request.url.path}")
    headers = {"content-type": "application/json"}
    return HTTP.Response(404 if found is None else 200, content=json.dumps(found or {}), headers=headers)


@both_clients
def test_a_mock_transport(kind: str) -> None:
    asked: list[str] = []

    def answer(request: Any) -> Any:
        asked.append(f"{request.method} {request.url.path}")
        return _answer(request)

    def play() -> Any:
        asked.clear()
        http = _default(kind)(transport=HTTP.MockTransport(answer))
        return _played(kind, _client(kind, http_client=http)), list(asked)

    assert with_and_without(play) == ["completed"]


@both_clients
def test_a_transport_that_records_and_plays_back(kind: str) -> None:
    """The manner of VCR: what was recorded without runspan is found again with it, so requests are the same to the byte."""
    tape: dict[Any, bytes] = {}

    def key(request: Any) -> Any:
        headers = {
            k: v
            for k, v in request.headers.items()
            if k not in ("idempotency-key", "x-stainless-read-timeout")
        }
        return request.method, str(request.url), request.content, json.dumps(headers, sort_keys=True)

    def recorded(request: Any) -> Any:
        response = _answer(request)
        tape[key(request)] = response.content
        return response

    def replayed(request: Any) -> Any:
        return HTTP.Response(200, content=tape[key(request)], headers={"content-type": "application/json"})

    def play(answer: Any) -> Any:
        return _played(kind, _client(kind, http_client=_default(kind)(transport=HTTP.MockTransport(answer))))

    first = play(recorded)
    assert len(tape) == 3
    assert with_and_without(lambda: play(replayed) == first) == ["completed"]


def _of_httpx(kind: str) -> Any:
    """A client of httpx, which doubles know, whatever the openai package is built on."""
    httpx = needed("httpx")
    return httpx.AsyncClient() if kind.startswith("Async") else httpx.Client()


@both_clients
def test_respx(kind: str) -> None:
    respx = needed("respx")

    def play() -> Any:
        with respx.mock(base_url="http://api.test") as mocked:
            for what, body in ANSWERS.items():
                method, path = what.split()
                mocked.request(method, path=path).respond(json=body)
            seen = _played(kind, _client(kind, http_client=_of_httpx(kind)))
            return seen, [(call.request.method, str(call.request.url)) for call in mocked.calls]

    assert with_and_without(play) == ["completed"]


@both_clients
def test_pytest_httpx(kind: str, request: pytest.FixtureRequest) -> None:
    needed("pytest_httpx")
    mocked = request.getfixturevalue("httpx_mock")

    def play() -> Any:
        for what, body in ANSWERS.items():
            method, path = what.split()
            mocked.add_response(method=method, url=re.compile(f"http://api.test{path}.*"), json=body)
        before = len(mocked.get_requests())
        seen = _played(kind, _client(kind, http_client=_of_httpx(kind)))
        return seen, [(r.method, str(r.url)) for r in mocked.get_requests()[before:]]

    assert with_and_without(play) == ["completed"]


# ---------------------------------------------------------------- LangChain

RUNNABLES = {
    "OpenAIAssistantRunnable": "langchain_classic.agents.openai_assistant",
    "OpenAIAssistantV2Runnable": "langchain_community.agents.openai_assistant",
}


@both_clients
@pytest.mark.filterwarnings("ignore")  # theirs: beta, deprecations
@pytest.mark.parametrize("name", RUNNABLES)
def test_langchains_assistant(name: str, kind: str) -> None:
    """As an agent that is asked for a tool, and then once more on the same thread."""
    needed(RUNNABLES[name].partition(".")[0])
    runnable = getattr(importlib.import_module(RUNNABLES[name]), name)

    async def case(app: App) -> Any:
        with closing(client_of("OpenAI", app.server)) as client:
            of_both = {"async_client": app.client} if app.is_async else {"client": app.client}
            agent = runnable(
                **{"client": client, **of_both},
                assistant_id=app.assistant_id,
                as_agent=True,
                check_every_ms=1,
            )
            invoke = agent.ainvoke if app.is_async else agent.invoke
            (action,) = await app.got(invoke({"content": "Is it warm in Paris?"}))
            outputs = [{"tool_call_id": action.tool_call_id, "output": "12 °C"}]
            of_run = {"run_id": action.run_id, "thread_id": action.thread_id}
            # The first of the two raises with an async client, runspan or not: it iterates a page without `async`.
            finish = await outcome(app, lambda: invoke({"tool_outputs": outputs, **of_run}))
            (more,) = await app.got(invoke({"content": "And now?", "thread_id": action.thread_id}))
        return [(type(one), one.tool, one.tool_input) for one in (action, more)], repr(finish)

    def play() -> Any:
        with playing(kind, ASKING, seed=7) as app:
            return app.play(case), [(r.method, r.path, r.json, r.status) for r in app.server.requests]

    assert with_and_without(play) == ["completed", "requires_action"]
