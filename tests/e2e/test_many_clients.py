"""An app that makes a client for each call has many at once. What their runs lack is fetched, and memory stays bounded."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from tests.support.playing import ANSWER, ANSWERED, INSTRUCTIONS, MODEL, QUESTION
from tests.support.tracing import texts, traced

import runspan
from runspan.clients.openai import background
from runspan.fake import Server, SimulatedClock, serve

MANY = 4


def turn(server: Server, assistant_id: str, http_client: Any = None) -> Any:
    """A run of a client of its own, which is closed before the run's messages are read."""
    with openai.OpenAI(base_url=server.base_url, api_key="k", http_client=http_client) as client:
        client._client.headers["X-Tenant"] = assistant_id
        asked: Any = [{"role": "user", "content": QUESTION}]
        run = client.beta.threads.create_and_run(assistant_id=assistant_id, thread={"messages": asked})
        while run.status in ("queued", "in_progress"):
            run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    return client


@pytest.mark.parametrize("is_apps", [False, True], ids=["openai's transports", "transports of the app"])
def test_what_they_share_beyond_the_bound_is_no_setting_of_the_app(
    is_apps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_TRANSPORTS", 1)
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        with openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            ids = [
                client.beta.assistants.create(model=MODEL, instructions=INSTRUCTIONS).id for _ in range(MANY)
            ]
        with traced(fetch="auto", settle_s=60.0) as trace:
            held = [turn(server, id_, openai.DefaultHttpxClient() if is_apps else None) for id_ in ids]
            assert runspan.flush(60)
            answers = [texts(span, "output") for span in trace.spans("chat")]
            missing = trace.handle.stats().missing
        ours = [r for r in server.requests if "x-runspan" in r.headers]
        del held
    assert answers.count([ANSWER]) == (1 if is_apps else MANY)
    assert missing == ({"messages": MANY - 1} if is_apps else {})
    assert len({r.headers["x-tenant"] for r in ours}) == len(ours) == answers.count([ANSWER])
