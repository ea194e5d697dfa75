"""The endpoints of the Assistants API: (method, path) -> Match, one table.

Paths as the official client passes them (`options.url`), without the server's prefix; Azure clients use the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from ..api import Match, Route
from ..urls import matcher, segments_of
from . import readers

_write = partial(Route, is_write=True)
_list = partial(Route, is_list=True)
NEW_RUN = _write("invoke_agent", readers.new_run, starts_run=True, reads_body=True)
NEW_THREAD_AND_RUN = Match(NEW_RUN)

# (method, number of path segments, first, third, fifth) -> Route. Ids stand at segments 2, 4 and 6.
ROUTES: Mapping[tuple[str, int, str, str, str], Route] = {
    ("post", 1, "assistants", "", ""): _write("create_agent", readers.agent),
    ("get", 1, "assistants", "", ""): _list("list_agents", readers.agents),
    ("get", 2, "assistants", "", ""): Route("get_agent", readers.agent),
    ("post", 2, "assistants", "", ""): _write("update_agent", readers.agent),
    ("delete", 2, "assistants", "", ""): _write("delete_agent", readers.thread),
    ("post", 1, "threads", "", ""): _write("create_thread", readers.new_thread, reads_body=True),
    ("get", 2, "threads", "", ""): Route("get_thread", readers.thread),
    ("post", 2, "threads", "", ""): _write("update_thread", readers.thread),
    ("delete", 2, "threads", "", ""): _write("delete_thread", readers.thread),
    ("post", 3, "threads", "messages", ""): _write("create_message", readers.new_message),
    ("get", 3, "threads", "messages", ""): _list("list_messages", readers.messages),
    ("get", 4, "threads", "messages", ""): Route("get_message", readers.message),
    ("post", 4, "threads", "messages", ""): _write("update_message", readers.message),
    ("delete", 4, "threads", "messages", ""): _write("delete_message", readers.deleted_message),
    ("post", 3, "threads", "runs", ""): NEW_RUN,
    ("get", 3, "threads", "runs", ""): _list("list_thread_runs", readers.runs, lists_runs=True),
    ("get", 4, "threads", "runs", ""): Route("get_thread_run", readers.run, is_poll=True),
    ("post", 4, "threads", "runs", ""): _write("update_thread_run", readers.run),
    ("post", 5, "threads", "runs", "cancel"): _write("cancel_thread_run", readers.run, cancels=True),
    ("post", 5, "threads", "runs", "submit_tool_outputs"): _write(
        "submit_tool_outputs", readers.tool_outputs, answers_calls=True, reads_body=True
    ),
    ("get", 5, "threads", "runs", "steps"): _list("list_run_steps", readers.steps),
    ("get", 6, "threads", "runs", "steps"): Route("get_run_step", readers.step),
}


def _match(method: str, path: str) -> Match | None:
    segments = segments_of(path)
    count, method = len(segments), method.lower()
    if count == 2 and segments[1] == "runs" and segments[0] == "threads":
        return NEW_THREAD_AND_RUN if method == "post" else None
    third = segments[2] if count > 2 else ""
    route = ROUTES.get((method, count, segments[0], third, segments[4] if count > 4 else ""))
    if route is None:
        return None
    if segments[0] == "assistants":
        return Match(route, agent_id=segments[1] if count > 1 else None)
    id_ = segments[3] if count > 3 else None
    return Match(
        route,
        conversation_id=segments[1] if count > 1 else None,
        run_id=id_ if third == "runs" else None,
        message_id=id_ if third == "messages" else None,
        object_id=segments[5] if count > 5 else None,
    )


match = matcher(("/threads", "/assistants"), re.compile(r"/(threads|assistants)(?=/|$)"), _match)
