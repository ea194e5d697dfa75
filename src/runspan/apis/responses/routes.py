"""The endpoints of the Responses API and of its conversations: two tables.

Paths as the official client passes them (`options.url`), without the server's prefix; Azure clients use the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...core.answers import Answers
from ...core.fields import text
from ..api import Match, Route
from ..urls import Table, matcher
from . import items, objects, readers

_write = partial(Route, is_write=True)
_apart = partial(Route, read=readers.conversation, is_apart=True)

NEW = Match(_write("chat", readers.new_run, starts_run=True, reads_body=True))
ANSWER = Match(Route("chat", readers.nothing, only_answers=True))


def answers(sent: Callable[[str], Any]) -> Answers:
    given = sent("input")
    if not items.has_outputs(given):
        return Answers()
    said = {name: sent(name) for name in ("previous_response_id", "conversation")}
    return items.answers(given, text(said, "previous_response_id"), objects.conversation(said))


def _if_background(sent: Callable[[str], Any]) -> Match | None:
    """A plain or streamed response is others' to trace; but it may answer what a background one asked for."""
    if sent("background") is True:
        return NEW
    return ANSWER if items.has_outputs(sent("input")) else None


BACKGROUND: Table = {
    "post /responses": Route("chat", readers.nothing, by_body=_if_background),
    "get /responses/{run}": Route("get_response", readers.run, is_poll=True),
    "delete /responses/{run}": _write("delete_response", readers.deleted),
    "post /responses/{run}/cancel": _write("cancel_response", readers.run, cancels=True),
    "get /responses/{run}/input_items": Route("list_input_items", readers.input_items),
    "post /conversations": _apart("create_conversation", is_write=True),
    "get /conversations/{conversation}": _apart("get_conversation"),
    "post /conversations/{conversation}": _apart("update_conversation", is_write=True),
    "delete /conversations/{conversation}": _apart("delete_conversation", is_write=True),
    "post /conversations/{conversation}/items": _apart("create_items", is_write=True),
    "get /conversations/{conversation}/items": _apart("list_items", is_list=True),
    "get /conversations/{conversation}/items/{object}": _apart("get_item"),
    "delete /conversations/{conversation}/items/{object}": _apart("delete_item", is_write=True),
}
EVERYTHING: Table = {
    **BACKGROUND,
    "post /responses": NEW.route,
    "post /responses/compact": _write("compact_response", readers.nothing),
    "post /responses/input_tokens": _write("count_tokens", readers.nothing),
}

match_background, match_all = matcher(BACKGROUND), matcher(EVERYTHING)
