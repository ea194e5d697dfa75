"""How objects look elsewhere: each function takes one object and gives it back changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from runspan.fake.dialects.dialect import STAMPS, Event, View
from runspan.fake.store import Object

PREFIX = re.compile(r"^(asst|thread|msg|run|step|call)_(?=[0-9a-f]{24}$)")


def all_of(*views: View) -> View:
    """One after the other."""

    def view(body: Object) -> Object:
        for one in views:
            body = one(body)
        return body

    return view


def of(kind: str, view: View) -> View:
    """For objects of one type alone."""
    return lambda body: view(body) if body.get("object") == kind else body


def with_stamps(change: Callable[[Any], Any], names: tuple[str, ...] = STAMPS) -> View:
    """`change(stamp)`, also of those that are null."""
    return lambda body: {name: change(value) if name in names else value for name, value in body.items()}


def with_status(statuses: dict[str, str]) -> View:
    return lambda body: {**body, "status": statuses.get(body["status"], body["status"])}


def with_field(name: str, value: Any) -> View:
    return lambda body: {**body, name: value}


def without_nulls(body: Object) -> Object:
    """As pydantic writes a model where it leaves out what is not set."""
    return {name: value for name, value in body.items() if value is not None}


def with_texts_in_lists(body: Object) -> Object:
    """`text` of each content part is a list."""
    parts = [{**part, "text": [part["text"]]} if part["type"] == "text" else part for part in body["content"]]
    return {**body, "content": parts}


def with_an_error_that_says_nothing(body: Object) -> Object:
    return body if body["last_error"] else {**body, "last_error": {"code": "", "message": ""}}


def with_one_id_for_all_calls(body: Object) -> Object:
    """The calls of one run, wherever they stand."""
    run_id = body.get("run_id") or body["id"]
    text = re.sub(r'"call_\w+"', f'"call_{run_id.rpartition("_")[2]}"', json.dumps(body))
    changed: Object = json.loads(text)
    return changed


def without_prefix(id_: str) -> str:
    return PREFIX.sub("", id_)


def with_an_id_of_its_own(body: Object) -> Object:
    """Each piece of a message has another id."""
    return {**body, "id": str(uuid4())}


# ---------------------------------------------------------------- events


def with_usage_in_ghosts(name: str, data: Object) -> Iterator[Event]:
    """Tokens of each call of the model, in a message of no thread; the run and its steps tell none.

    Behind a run that waits comes its end.
    """
    if name == "thread.run.step.completed" and data.get("usage"):
        ghost = {
            "id": f"chatcmpl-{data['id']}",
            "object": "thread.message",
            "created_at": 0,
            "thread_id": "",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
            "metadata": {"usage": json.dumps(data["usage"])},
        }
        yield "thread.message.in_progress", ghost
    yield name, data
    if name == "thread.run.requires_action":
        yield "thread.run.completed", data
