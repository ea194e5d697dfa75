"""An event handler of an app that listens to every callback there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai

See = Callable[[str, Any], None]
CALLBACKS = tuple(name for name in dir(openai.AssistantEventHandler) if name.startswith("on_"))


def listening(is_async: bool, see: See) -> Any:
    base = openai.AsyncAssistantEventHandler if is_async else openai.AssistantEventHandler
    make = _async_callback if is_async else _callback
    return type("Listening", (base,), {name: make(name, see) for name in CALLBACKS})()


def _callback(name: str, see: See) -> Callable[..., None]:
    def callback(_: Any, *arguments: Any) -> None:
        see(name, arguments)

    return callback


def _async_callback(name: str, see: See) -> Callable[..., Any]:
    async def callback(_: Any, *arguments: Any) -> None:
        see(name, arguments)

    return callback
