"""On the app's thread runspan connects nowhere and sends nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import openai

import runspan
from runspan.fake import SimulatedClock, serve
from tests.support.tracing import traced

METHODS = ("connect", "send", "sendall")


def sends_of_an_app() -> int:
    """Connects and sends on this thread over whole runs: polled, streamed, and one that is never looked at again."""
    counts, here = [0], threading.get_ident()

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(self: socket.socket, *args: Any) -> Any:
            counts[0] += threading.get_ident() == here
            return method(self, *args)

        return counted

    with (
        serve(clock=SimulatedClock()) as server,
        openai.OpenAI(api_key="none", base_url=server.base_url) as client,
        patch.multiple(socket.socket, **{name: counting(getattr(socket.socket, name)) for name in METHODS}),
    ):
        threads = client.beta.threads
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        thread = threads.create(messages=[{"role": "user", "content": "3x + 11 = 14?"}])
        whom: Any = {"thread_id": thread.id, "assistant_id": assistant.id}
        for _ in range(3):
            threads.runs.create_and_poll(**whom, poll_interval_ms=1)
            threads.messages.list(thread.id)
        with threads.runs.stream(**whom) as stream:
            stream.until_done()
        threads.runs.create(**whom)
    return counts[0]


def test_nothing_of_ours_is_sent_on_the_apps_thread() -> None:
    alone = sends_of_an_app()
    assert alone > 10
    with traced():
        together = sends_of_an_app()
        runspan.flush(5)
    assert together == alone
