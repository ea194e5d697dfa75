"""Servers that speak the Assistants wire each in a way of its own: `serve(dialect="myla")`, `runspan fake --dialect myla`.

What is known of each is listed in docs/servers.md. Every dialect is a row of this table.
"""

from __future__ import annotations

from collections.abc import Mapping

from runspan.fake.dialects import views
from runspan.fake.dialects.dialect import Dialect, inside

DIALECTS: Mapping[str, Dialect] = {
    "litellm": Dialect(
        about="LiteLLM's proxy: a part of the calls, blocking runs, events without names",
        view=views.without_nulls,
        frame=inside,
        blocks=True,
        renames_responses=True,
        lacks=frozenset(
            {
                "GET /assistants/*",
                "POST /assistants/*",
                "POST /threads/*",
                "DELETE /threads/*",
                "GET /threads/*/messages/*",
                "POST /threads/*/messages/*",
                "DELETE /threads/*/messages/*",
                "POST /threads/runs",
                "GET /threads/*/runs",
                "GET /threads/*/runs/*",
                "POST /threads/*/runs/*",
                "POST /threads/*/runs/*/cancel",
                "POST /threads/*/runs/*/submit_tool_outputs",
                "GET /threads/*/runs/*/steps",
                "GET /threads/*/runs/*/steps/*",
            }
        ),
    ),
    "astra": Dialect(
        about="astra-assistants: a status `generating`, one id for all calls of a run, events inside `data`",
        view=views.all_of(
            views.of("thread.run", views.with_status({"in_progress": "generating"})),
            views.of("thread.run", views.with_one_id_for_all_calls),
            views.of("thread.run.step", views.with_one_id_for_all_calls),
        ),
        frame=inside,
    ),
    "open-assistant": Dialect(
        about="open-assistant-api: ids without prefixes, stamps with fractions, tokens in messages of no thread",
        view=views.all_of(
            views.with_stamps(lambda stamp: stamp and stamp + 0.25),
            views.of("thread.run", views.with_field("usage", None)),
            views.of("thread.run.step", views.with_field("usage", None)),
        ),
        events=views.with_usage_in_ghosts,
        rename=views.without_prefix,
    ),
    "myla": Dialect(
        about="myla: messages with ms beside seconds, texts in lists, JSON where a stream is asked for",
        view=views.of(
            "thread.message",
            views.all_of(
                views.with_stamps(lambda stamp: stamp and stamp * 1_000, ("created_at",)),
                views.with_texts_in_lists,
            ),
        ),
        rename=views.without_prefix,
        streams=False,
    ),
    "dashscope": Dialect(
        about="DashScope: stamps in ms, -1 where there is none, an error that says nothing on success",
        view=views.all_of(
            views.with_stamps(lambda stamp: -1 if stamp is None else stamp * 1_000),
            views.of("thread.run", views.with_an_error_that_says_nothing),
            views.of("thread.run.step", views.with_an_error_that_says_nothing),
        ),
    ),
    "leapfrog": Dialect(
        about="LeapfrogAI: runs are over from the first event on, each delta has an id of its own, `order` is ignored",
        view=views.all_of(
            views.of("thread.run", views.with_field("status", "completed")),
            views.of("thread.message.delta", views.with_an_id_of_its_own),
        ),
        blocks=True,
        sorts=False,
    ),
}
