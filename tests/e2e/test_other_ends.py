"""Servers that have their own words for the end of a run: it is over all the same, in both APIs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from tests.apis.responses.server import RESPONSE, message, response, serving
from tests.e2e.odd_objects import OVER, RUN
from tests.support.odd_server import odd_server
from tests.support.playing import client_of
from tests.support.tracing import attribute, traced

from runspan.apis.objects import ENDS_IN_OTHER_WORDS
from runspan.apis.responses import API

ENDS = {
    "succeeded": ("stop", None),
    "timed_out": ("error", "expired"),
    "error": ("error", "failed"),
    "canceled": ("error", None),
}
ends = pytest.mark.parametrize("status", ENDS)


def told(span: Any) -> tuple[Any, ...]:
    reasons = attribute(span, "gen_ai.response.finish_reasons")
    assert attribute(span, "runspan.run.unfinished") is None
    return attribute(span, "runspan.run.status"), (reasons[0], attribute(span, "error.type"))


@ends
def test_a_run_of_an_assistant_ends(status: str) -> None:
    with odd_server() as odd, client_of("OpenAI", odd) as client, traced() as trace:  # type: ignore[arg-type]
        odd.bodies[("POST", "runs")] = [RUN]
        odd.bodies[("GET", "runs/one")] = [{**OVER, "status": status, "last_error": None}]
        client.beta.threads.runs.create("thread_1", assistant_id="asst_1")
        client.beta.threads.runs.retrieve("run_1", thread_id="thread_1")
        assert told(trace.run()) == (status, ENDS[status])


@pytest.mark.skipif(not find_spec("openai.types.responses"), reason="this openai has no responses")
@ends
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_response_ends(status: str, is_streamed: bool) -> None:
    last = {**response("completed", message()), "status": status}
    asked: dict[str, Any] = {"model": "gpt-4o", "input": "?", "background": True}
    with serving() as server, server.client() as client, traced() as trace:
        if is_streamed:
            events = [response("queued"), last]
            server.creates([{"type": f"response.{r['status']}", "response": r} for r in events])
            for _ in client.responses.create(**asked, stream=True):
                pass
        else:
            server.creates(response("queued")).polls(last)
            client.responses.create(**asked)
            client.responses.retrieve(RESPONSE)
        (span,) = trace.spans()
    assert told(span) == (status, ENDS[status])
    assert attribute(span, "gen_ai.usage.output_tokens") == 30


def test_no_word_of_an_api_has_two_meanings() -> None:
    assert not {"queued", "in_progress", "requires_action", "cancelling"} & ENDS_IN_OTHER_WORDS.keys()
    assert API.phases["completed"] is API.phases["done"]
