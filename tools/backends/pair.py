"""Two processes that share traces: the first begins each and makes a Run in it, the second goes on in it with a Run of its own.

    python -m backends.pair first '{"traces": 200, "odd": {"7": "failed"}}' | python -m backends.pair second '{...}'

`odd` says what is the matter with the Run of that trace in this process: failed, slow, expensive. The traces go from one to the
other as `traceparent` lines; the last line of each is what it made.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from openai import OpenAI
from opentelemetry import context, propagate

import runspan
from runspan.fake import Message, Scenario, Usage, serve
from runspan.fake.library import SCENARIOS

from .app import USER, watched

SLOW_S = 6.0
RUNS = {
    "failed": SCENARIOS["failed"].but(queue_s=0.0),
    "slow": Scenario(phases=(Message("At last.", seconds=SLOW_S),), queue_s=0.0),
    "expensive": Scenario(phases=(Message("Much.", seconds=0.0, usage=Usage(90_000, 10)),), queue_s=0.0),
}
PLAIN = Scenario(phases=(Message("Fine.", seconds=0.0, usage=Usage(20, 2)),), queue_s=0.0)


def a_run(client: OpenAI, assistant_id: str) -> None:
    run = client.beta.threads.create_and_run(assistant_id=assistant_id)
    while run.status in ("queued", "in_progress"):
        time.sleep(0.005)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    client.beta.threads.messages.list(run.thread_id)


def parents(role: str, traces: int) -> Iterator[Any]:
    """The context to begin each trace in, or to go on in it."""
    if role == "first":
        yield from (context.Context() for _ in range(traces))
        return
    for line in sys.stdin:
        yield propagate.extract(json.loads(line))


def main() -> None:
    role, told_by = sys.argv[1], json.loads(sys.argv[2])
    odd = told_by["odd"]
    handle, told = watched()
    with serve() as server, OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        tutor = client.beta.assistants.create(model="gpt-4o", name="Tutor", instructions="Be brief.")
        for number, parent in enumerate(parents(role, told_by["traces"])):
            token = context.attach(parent)
            with runspan.context(user_id=USER), runspan.span(f"{role} half"):
                server.play_next(RUNS[odd[str(number)]] if str(number) in odd else PLAIN)
                a_run(client, tutor.id)
                if role == "first":
                    carrier: dict[str, str] = {}
                    propagate.inject(carrier)
                    print(json.dumps(carrier), flush=True)
            context.detach(token)
        handle.flush(20)
    facts = {"trace_of": [s["trace"] for s in told.spans], "spans": [s["span"] for s in told.spans]}
    facts["order"] = [s["trace"] for s in told.spans if s["name"] == f"{role} half"]
    print(json.dumps({**facts, "dropped": dict(handle.stats().dropped)}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
