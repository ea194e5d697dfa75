"""Which calls are of responses, and what their paths say."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.apis import APIS
from runspan.apis.responses import routes

# (method, path) -> (operation, response, conversation)
CALLS: dict[tuple[str, str], tuple[str, str | None, str | None]] = {
    ("get", "/responses/r"): ("get_response", "r", None),
    ("delete", "/responses/r"): ("delete_response", "r", None),
    ("post", "/responses/r/cancel"): ("cancel_response", "r", None),
    ("get", "/responses/r/input_items"): ("list_input_items", "r", None),
    ("post", "/conversations"): ("create_conversation", None, None),
    ("get", "/conversations/c"): ("get_conversation", None, "c"),
    ("post", "/conversations/c"): ("update_conversation", None, "c"),
    ("delete", "/conversations/c"): ("delete_conversation", None, "c"),
    ("post", "/conversations/c/items"): ("create_items", None, "c"),
    ("get", "/conversations/c/items"): ("list_items", None, "c"),
    ("get", "/conversations/c/items/i"): ("get_item", None, "c"),
    ("delete", "/conversations/c/items/i"): ("delete_item", None, "c"),
}
FORMS = (
    "{}",
    "{}?api-version=2025-03-01-preview",
    "http://127.0.0.1:8080/v1{}",
    "https://x.openai.azure.com/openai/v1{}?api-version=preview",
    "https://x.services.ai.azure.com/api/projects/p/openai{}",
    "https://gateway.test/responses/v1{}",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_call_is_known_behind_any_prefix(call: tuple[str, str], form: str) -> None:
    method, path = call
    for match in (routes.match_background, routes.match_all):
        found = match(method, form.format(path))
        assert found is not None
        assert (found.route.operation, found.run_id, found.conversation_id) == CALLS[call]


NEITHER = (
    "/responses/r/other",
    "/responses/a/b/c/d",
    "/chat/completions",
    "/responsesx",
    "/threads",
    "/files/responses",
)


@pytest.mark.parametrize("path", NEITHER)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_what_is_none_of_them_is_left_alone(method: str, path: str) -> None:
    assert routes.match_all(method, path) is None


def chosen(option: str, url: str = "/responses", **body: Any) -> str | None:
    found = APIS.chosen(lambda _: option).of_call("post", url, body.get)
    if found is None:
        return None
    return "answers" if found[1].route.only_answers else found[1].route.operation


OUTPUT = [{"type": "function_call_output", "call_id": "c", "output": "22"}]


def test_what_is_sent_and_the_option_decide_what_is_followed() -> None:
    assert chosen("background", background=True) == "chat"
    assert chosen("background", background=False) is None
    assert chosen("background", input="hello") is None
    assert chosen("background", input=OUTPUT) == "answers"
    assert chosen("background", background=True, input=OUTPUT) == "chat"
    assert chosen("all", input="hello") == "chat"
    assert chosen("none", background=True) is None
    for word, operation in (("compact", "compact_response"), ("input_tokens", "count_tokens")):
        assert chosen("all", f"/responses/{word}") == operation
        assert chosen("background", f"/responses/{word}") is None
