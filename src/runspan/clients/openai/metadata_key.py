"""`propagate="metadata"`: one key of ours in the metadata of a Run that is about to be created.

The client's options, the app's dicts and `extra_body` stay as they are; the call is made with a copy. An app that uses all 16 keys
keeps them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ...core.run_context import KEY
from ...guard import guarded
from ...runtime.handoffs import Handoffs
from ...runtime.records import Call, LiveSpan

MAX_KEYS = 16  # the API's own bound


def put_key(call: Call, live: LiveSpan, options: Any, handoffs: Handoffs) -> None:
    """Have the call send it."""
    with guarded("put the run's identity into its metadata"):
        if has_room(options):
            live.conversation_id = call.match.conversation_id
            call.sends = with_key(options, handoffs.line_of(live))
        else:
            handoffs.count_unpropagated()


def has_room(options: Any) -> bool:
    """Whether the request's metadata can take one key more (or has ours, from another run)."""
    metadata = _metadata(options)
    if not isinstance(options.json_data, Mapping) or not (metadata is None or isinstance(metadata, Mapping)):
        return False
    return metadata is None or KEY in metadata or len(metadata) < MAX_KEYS


def with_key(options: Any, line: str) -> Any:
    """A copy of the options that sends the key, too. What an `extra_body` says of metadata beats the argument, here as there."""
    name = "extra_json" if _is_extra(options) else "json_data"
    copied = copy.copy(options)
    setattr(copied, name, {**getattr(options, name), "metadata": {**(_metadata(options) or {}), KEY: line}})
    return copied


def instead(
    call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `request` with the options to send in place of the app's."""
    options, call.sends = call.sends, None
    if len(args) > 1:
        return (args[0], options, *args[2:]), kwargs
    return args, {**kwargs, "options": options}


def _is_extra(options: Any) -> bool:
    extra = getattr(options, "extra_json", None)
    return isinstance(extra, Mapping) and "metadata" in extra


def _metadata(options: Any) -> Any:
    if _is_extra(options):
        return options.extra_json["metadata"]
    body = options.json_data
    return body.get("metadata") if isinstance(body, Mapping) else None
