"""The endpoints of the Responses API and of its conversations: (method, path) -> Match.

Paths as the official client passes them (`options.url`), without the server's prefix; Azure clients use the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...core.answers import Answers
from ...core.fields import text
from ..api import Match, Route
from ..urls import matcher, segments_of
from . import items, objects, readers

PREFIXES = ("/responses", "/conversations")
_WORD = re.compile(r"/(responses|conversations)(?=/|$)")

Table = Mapping[tuple[str, int, str, str], Route]

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


# (method, number of path segments, first, third or the word in place of an id) -> Route. Ids stand at segments 2 and 4.
BACKGROUND: Table = {
    ("post", 1, "responses", ""): Route("chat", readers.nothing, by_body=_if_background),
    ("get", 2, "responses", ""): Route("get_response", readers.run, is_poll=True),
    ("delete", 2, "responses", ""): _write("delete_response", readers.deleted),
    ("post", 3, "responses", "cancel"): _write("cancel_response", readers.run, cancels=True),
    ("get", 3, "responses", "input_items"): Route("list_input_items", readers.input_items),
    ("post", 1, "conversations", ""): _apart("create_conversation", is_write=True),
    ("get", 2, "conversations", ""): _apart("get_conversation"),
    ("post", 2, "conversations", ""): _apart("update_conversation", is_write=True),
    ("delete", 2, "conversations", ""): _apart("delete_conversation", is_write=True),
    ("post", 3, "conversations", "items"): _apart("create_items", is_write=True),
    ("get", 3, "conversations", "items"): _apart("list_items", is_list=True),
    ("get", 4, "conversations", "items"): _apart("get_item"),
    ("delete", 4, "conversations", "items"): _apart("delete_item", is_write=True),
}
EVERYTHING: Table = {
    **BACKGROUND,
    ("post", 1, "responses", ""): NEW.route,
    ("post", 2, "responses", "compact"): _write("compact_response", readers.nothing),
    ("post", 2, "responses", "input_tokens"): _write("count_tokens", readers.nothing),
}
_WORDS = ("compact", "input_tokens")  # in place of an id


def _match(table: Table, method: str, path: str) -> Match | None:
    segments = segments_of(path)
    count = len(segments)
    id_ = segments[1] if count > 1 else None
    word = segments[2] if count > 2 else id_ if method.lower() == "post" and id_ in _WORDS else ""
    route = table.get((method.lower(), count, segments[0], word or ""))
    if route is None:
        return None
    if segments[0] == "conversations":
        return Match(route, conversation_id=id_, object_id=segments[3] if count > 3 else None)
    return Match(route, run_id=None if id_ in _WORDS else id_)


match_background, match_all = (
    matcher(PREFIXES, _WORD, partial(_match, table)) for table in (BACKGROUND, EVERYTHING)
)
