"""Webhooks as an app gets them: signed, one for each end, again where it did not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest

from runspan.fake import Server, SimulatedClock
from runspan.fake.responses import SECRET, Delivery
from tests.fake.responses.wire import post
from tests.fake.wire import call
from tests.support.listening import Handler, listening

pytest.importorskip("openai.types.webhooks", reason="this openai has no webhooks")


@dataclass
class App:
    """What came, and what is answered."""

    url: str = ""
    answers: list[int] = field(default_factory=list)  # for the first POSTs; then 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.came.acquire(timeout=10)


@contextmanager
def hooked() -> Iterator[App]:
    app = App()

    class Hook(Handler):
        def do_POST(self) -> None:
            app.got.append((dict(self.headers), self.body()))
            self.answer(app.answers.pop(0) if app.answers else 200)
            app.came.release()

    with listening(Hook) as address:
        app.url = f"{address}/hook"
        yield app


@pytest.fixture
def app() -> Iterator[App]:
    with hooked() as one:
        yield one


def delivered(server: Server, count: int) -> Sequence[Delivery]:
    """What was posted, once it is so much."""
    for _ in range(5_000):
        if len(server.deliveries) >= count:
            break
        call(server.base_url, "GET", "/assistants")
    assert len(server.deliveries) == count
    return server.deliveries


ENDS = {
    "text": "response.completed",
    "failed": "response.failed",
    "incomplete": "response.incomplete",
}


@pytest.mark.parametrize("name", ENDS)
def test_the_client_unwraps_what_comes_though_nobody_looks(
    fake: Callable[..., Server], client: Callable[[Server], Any], app: App, name: str
) -> None:
    clock = SimulatedClock(poll_step_s=None)
    server = fake(clock=clock, responses=name)
    server.add_webhook(app.url)
    id_ = post(server, background=True)["id"]
    clock.advance(60)
    app.wait(1)
    ((headers, body),) = app.got
    event = client(server).webhooks.unwrap(body, headers, secret=SECRET)
    assert (event.type, event.data.id) == (ENDS[name], id_)
    assert client(server).responses.retrieve(event.data.id).status == ENDS[name].removeprefix("response.")


def test_a_wrong_secret_is_refused_by_the_client(
    fake: Callable[..., Server], client: Callable[[Server], Any], app: App
) -> None:
    clock = SimulatedClock(poll_step_s=None)
    server = fake(clock=clock, responses="text")
    server.add_webhook(app.url, secret="whsec_b3RoZXI=")
    post(server, background=True)
    clock.advance(60)
    app.wait(1)
    headers, body = app.got[0]
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client(server).webhooks.unwrap(body, headers, secret=SECRET)


def test_a_cancelled_one_is_told_plain_ones_are_not(fake: Callable[..., Server], app: App) -> None:
    server = fake(responses="text")
    server.add_webhook(app.url)
    post(server)
    server.responses.play_next("slow")
    id_ = post(server, background=True)["id"]
    call(server.base_url, "POST", f"/responses/{id_}/cancel")
    for delivery in delivered(server, 1):
        assert (delivery.type, delivery.response_id, delivery.status) == ("response.cancelled", id_, 200)


def test_no_watching_moves_simulated_time(fake: Callable[..., Server], app: App) -> None:
    server = fake(responses="slow")
    server.add_webhook(app.url)
    before = server.clock.now()
    post(server, background=True)
    call(server.base_url, "GET", "/assistants")
    assert server.clock.now() == before


def test_copies_and_retries_have_the_same_id(fake: Callable[..., Server], app: App) -> None:
    server = fake(clock=SimulatedClock(), responses="text")
    app.answers = [500, 500]
    server.add_webhook(app.url, copies=2, retries_s=(0.0,))
    id_ = post(server, background=True)["id"]
    while call(server.base_url, "GET", f"/responses/{id_}")[2]["status"] != "completed":
        pass
    statuses = [one.status for one in delivered(server, 4)]
    assert sorted(statuses) == [200, 200, 500, 500]
    assert len({headers["webhook-id"] for headers, _ in app.got}) == 1


def test_an_app_that_is_not_there_is_written_down(fake: Callable[..., Server]) -> None:
    clock = SimulatedClock(poll_step_s=None)
    server = fake(clock=clock, responses="text")
    with hooked() as gone:
        server.add_webhook(gone.url)
    post(server, background=True)
    clock.advance(60)
    assert [one.status for one in delivered(server, 1)] == [None]


def test_stopping_the_server_ends_waiting_deliveries(fake: Callable[..., Server]) -> None:
    server = fake(clock=SimulatedClock(poll_step_s=None), responses="slow")
    server.add_webhook("http://127.0.0.1:9/none")
    post(server, background=True)
    assert not server.deliveries  # the fixture's end must not hang
