"""Observed endpoints, dependencies and streamed answers of a FastAPI app, called as a server calls it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import runspan
from tests.support.tracing import Traced

from .trees import output, span, tree

fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed: the dev extra has it")


def app() -> Any:
    from fastapi.responses import StreamingResponse

    made = fastapi.FastAPI()

    @runspan.observe
    def settings() -> Iterator[dict[str, str]]:
        """A dependency with a teardown: FastAPI knows it by `inspect.isgeneratorfunction`."""
        with runspan.span("set up"):
            pass
        yield {"tone": "kind"}
        with runspan.span("tear down"):
            pass

    depends = fastapi.Depends(settings)

    @made.get("/answer/{question}")
    @runspan.observe(name="answer")
    async def answer(question: str, limit: int = 3, found: Any = depends) -> dict[str, Any]:
        return {"question": question, "limit": limit, **found}

    @made.get("/stream")
    @runspan.observe(name="stream")
    async def stream(words: int) -> Any:
        return StreamingResponse(each(words), media_type="text/plain")

    @runspan.observe
    async def each(words: int) -> AsyncIterator[str]:
        for number in range(words):
            with runspan.span(f"word {number}"):
                await asyncio.sleep(0)
            yield f"{number} "

    return made


def get(path: str, query: str = "") -> tuple[int, str]:
    """One request over ASGI, in a context of its own, as servers do."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if sent and not sent[-1].get("more_body", True):
            return {"type": "http.disconnect"}
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [],
        "server": ("127.0.0.1", 1),
        "client": ("127.0.0.1", 2),
    }
    asyncio.run(app()(scope, receive, send))
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:]).decode()


def test_parameters_are_injected_and_a_dependency_is_torn_down_in_its_span(traces: Traced) -> None:
    status, body = get("/answer/why", "limit=5")
    assert (status, json.loads(body)) == (200, {"question": "why", "limit": 5, "tone": "kind"})
    assert output(span(traces, "answer")) == json.loads(body)
    names = dict(tree(traces))
    settings = next(name for name in names if name and name.endswith("settings"))
    assert (names["set up"], names["tear down"], names["answer"]) == (settings, settings, None)


def test_a_parameter_that_does_not_fit_is_refused_as_without_us(traces: Traced) -> None:
    assert get("/answer/why", "limit=many")[0] == 422


def test_a_streamed_answer_stays_in_the_trace_of_its_endpoint(traces: Traced) -> None:
    assert get("/stream", "words=2") == (200, "0 1 ")
    names = {name.rpartition(".")[2]: (parent or "").rpartition(".")[2] for name, parent in tree(traces)}
    assert names == {"stream": "", "each": "stream", "word 0": "each", "word 1": "each"}
