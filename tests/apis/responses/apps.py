"""Apps with responses against the fake, sync and async: `tests/support/playing.py` with other words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from runspan.fake import Clock, SimulatedClock, serve
from runspan.fake.responses import Scenario
from tests.support.playing import App, client_of
from tests.support.tracing import Traced, attribute

MODEL, QUESTION = "gpt-4o", "What is 6 times 7?"
ASKED: dict[str, Any] = {"model": MODEL, "input": QUESTION, "background": True}
LIVE = ("queued", "in_progress")


@contextmanager
def responding(
    kind: str, scenario: Scenario | str = "text", *, clock: Clock | None = None, **options: Any
) -> Iterator[App]:
    """The app and its server, on simulated time unless `clock` says otherwise."""
    with serve(responses=scenario, clock=clock or SimulatedClock(poll_step_s=0.01)) as server:
        yield App(kind, client_of(kind, server, **options), server)


async def created(app: App, **options: Any) -> Any:
    return await app.got(app.client.responses.create(**{**ASKED, **options}))


async def typed(app: App) -> None:
    """Read as a stream of typed events."""
    await app.each(await created(app, stream=True))


async def polled(app: App, response: Any) -> Any:
    while response.status in LIVE:
        response = await app.got(app.client.responses.retrieve(response.id))
    return response


def of_responses(trace: Traced) -> list[ReadableSpan]:
    """The one span of each response."""
    return [span for span in trace.spans() if attribute(span, "runspan.run.status")]


def the_one(trace: Traced) -> ReadableSpan:
    (span,) = of_responses(trace)
    return span
