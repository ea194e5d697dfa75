"""The endpoints of the Assistants API: one table.

Paths as the official client passes them (`options.url`), without the server's prefix; Azure clients use the same ones.
"""

from __future__ import annotations

from functools import partial

from ..api import Route
from ..urls import Table, matcher
from . import readers

_write = partial(Route, is_write=True)
_list = partial(Route, is_list=True)
NEW_RUN = _write("invoke_agent", readers.new_run, starts_run=True, reads_body=True)

ROUTES: Table = {
    "post /assistants": _write("create_agent", readers.agent),
    "get /assistants": _list("list_agents", readers.agents),
    "get /assistants/{agent}": Route("get_agent", readers.agent),
    "post /assistants/{agent}": _write("update_agent", readers.agent),
    "delete /assistants/{agent}": _write("delete_agent", readers.thread),
    "post /threads": _write("create_thread", readers.new_thread, reads_body=True),
    "get /threads/{conversation}": Route("get_thread", readers.thread),
    "post /threads/{conversation}": _write("update_thread", readers.thread),
    "delete /threads/{conversation}": _write("delete_thread", readers.thread),
    "post /threads/{conversation}/messages": _write("create_message", readers.new_message),
    "get /threads/{conversation}/messages": _list("list_messages", readers.messages),
    "get /threads/{conversation}/messages/{message}": Route("get_message", readers.message),
    "post /threads/{conversation}/messages/{message}": _write("update_message", readers.message),
    "delete /threads/{conversation}/messages/{message}": _write("delete_message", readers.deleted_message),
    "post /threads/runs": NEW_RUN,
    "post /threads/{conversation}/runs": NEW_RUN,
    "get /threads/{conversation}/runs": _list("list_thread_runs", readers.runs, lists_runs=True),
    "get /threads/{conversation}/runs/{run}": Route("get_thread_run", readers.run, is_poll=True),
    "post /threads/{conversation}/runs/{run}": _write("update_thread_run", readers.run),
    "post /threads/{conversation}/runs/{run}/cancel": _write("cancel_thread_run", readers.run, cancels=True),
    "post /threads/{conversation}/runs/{run}/submit_tool_outputs": _write(
        "submit_tool_outputs", readers.tool_outputs, answers_calls=True, reads_body=True
    ),
    "get /threads/{conversation}/runs/{run}/steps": _list("list_run_steps", readers.steps),
    "get /threads/{conversation}/runs/{run}/steps/{object}": Route("get_run_step", readers.step),
}

match = matcher(ROUTES)
