"""The flow of the official quickstart, traced: run created inside "create", polled outside, messages listed inside "read"."""

from __future__ import annotations

from typing import Any

from tests.support.playing import ANSWERED, QUESTION, App, here, playing, spans_of_app_go_to
from tests.support.tracing import Traced, traced

from runspan.fake import Scenario


class Quickstart:
    """The official quickstart, sync, traced from its first call; `trace` is there when its block ends."""

    def __init__(self, scenario: Scenario | str = ANSWERED, kind: str = "OpenAI", **options: Any) -> None:
        self._playing, self._traced = playing(kind, scenario), traced(**options)

    def __enter__(self) -> tuple[App, Traced]:
        app, trace = self._playing.__enter__(), self._traced.__enter__()
        self._app_spans = spans_of_app_go_to(trace.provider)
        self._app_spans.__enter__()
        return app, trace

    def __exit__(self, *error: Any) -> None:
        self._app_spans.__exit__(*error)
        self._traced.__exit__(*error)
        self._playing.__exit__(*error)


def ask_and_poll(app: App, **options: Any) -> Any:
    app.client.beta.threads.messages.create(app.thread_id, role="user", content=QUESTION)
    with here("create"):
        run = app.client.beta.threads.runs.create(**{**app.asked, **options})
    return app.client.beta.threads.runs.poll(run.id, app.thread_id)


def read(app: App) -> Any:
    with here("read"):
        return app.client.beta.threads.messages.list(app.thread_id)
