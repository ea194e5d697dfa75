"""Which calls are ours, and what their paths say."""

from __future__ import annotations

import pytest

from runspan.apis.api import Match
from runspan.apis.assistants.routes import match

CALLS = {
    ("post", "/assistants"): ("create_agent", None, None, None),
    ("get", "/assistants"): ("list_agents", None, None, None),
    ("get", "/assistants/a"): ("get_agent", None, None, "a"),
    ("post", "/assistants/a"): ("update_agent", None, None, "a"),
    ("delete", "/assistants/a"): ("delete_agent", None, None, "a"),
    ("post", "/threads"): ("create_thread", None, None, None),
    ("get", "/threads/t"): ("get_thread", "t", None, None),
    ("post", "/threads/t"): ("update_thread", "t", None, None),
    ("delete", "/threads/t"): ("delete_thread", "t", None, None),
    ("post", "/threads/runs"): ("invoke_agent", None, None, None),
    ("post", "/threads/t/messages"): ("create_message", "t", None, None),
    ("get", "/threads/t/messages"): ("list_messages", "t", None, None),
    ("get", "/threads/t/messages/m"): ("get_message", "t", None, "m"),
    ("post", "/threads/t/messages/m"): ("update_message", "t", None, "m"),
    ("delete", "/threads/t/messages/m"): ("delete_message", "t", None, "m"),
    ("post", "/threads/t/runs"): ("invoke_agent", "t", None, None),
    ("get", "/threads/t/runs"): ("list_thread_runs", "t", None, None),
    ("get", "/threads/t/runs/r"): ("get_thread_run", "t", "r", None),
    ("post", "/threads/t/runs/r"): ("update_thread_run", "t", "r", None),
    ("post", "/threads/t/runs/r/cancel"): ("cancel_thread_run", "t", "r", None),
    ("post", "/threads/t/runs/r/submit_tool_outputs"): ("submit_tool_outputs", "t", "r", None),
    ("get", "/threads/t/runs/r/steps"): ("list_run_steps", "t", "r", None),
    ("get", "/threads/t/runs/r/steps/s"): ("get_run_step", "t", "r", "s"),
}
FORMS = (
    "{}",
    "{}/",
    "{}?api-version=2024-05-01-preview&order=asc",
    "http://127.0.0.1:8080/v1{}",
    "https://x.openai.azure.com/openai{}?api-version=1",
    "https://example.com/v1{}?behind=https://example.org",
    "https://threads.example.com/v1{}",
    "https://example.com/assistants-gateway/v1{}",
    "https://x.services.ai.azure.com/api/projects/threads/openai/v1{}",
    "https://example.com/assistants/threads/v1{}",
)


def found(method: str, url: str) -> tuple[str, str | None, str | None, str | None] | None:
    matched = match(method, url)
    if matched is None:
        return None
    object_id = matched.agent_id or matched.message_id or matched.object_id
    return (matched.route.operation, matched.conversation_id, matched.run_id, object_id)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_route_in_every_form(method: str, path: str, form: str) -> None:
    assert found(method, form.format(path)) == CALLS[method, path]
    assert found(method.upper(), form.format(path)) == CALLS[method, path]


def test_ids_are_read_as_the_objects_have_them() -> None:
    assert found("get", "/threads/a%20b/runs/r%2F%C3%BC?x=%2F") == ("get_thread_run", "a b", "r/ü", None)
    assert found("get", "/threads/X") == ("get_thread", "X", None, None)


def test_a_path_without_its_slash_is_the_same() -> None:
    assert found("post", "threads/t/runs") == ("invoke_agent", "t", None, None)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        *((m, p) for m in ("put", "patch", "head", "options", "") for p in ("/threads", "/threads/t/runs/r")),
        ("get", "/threads"),
        ("get", "/threads/runs"),
        ("delete", "/threads/t/runs/r"),
        ("get", "/threads/t/runs/r/cancel"),
        ("get", "/threads/t/messages/m/files"),
        ("get", "/threads/t/runs/r/steps/s/more"),
        ("post", "/threadsafe"),
        ("post", "/assistants-gateway"),
        ("post", "/chat/completions"),
        ("post", "/vector_stores/threads"),
        ("post", "/responses"),
        ("post", "https://example.com/threads-and-more/v1/chat/completions"),
        ("post", "https://threads.example.com/v1/chat/completions"),
        ("post", "https://example.com/search?q=/threads/t/runs"),
        *(
            ("post", u)
            for u in ("", "/", "?", "//", "threads//", "http://", "http://[", "/threads/t/nonsense")
        ),
    ],
)
def test_everything_else_is_none_of_our_business(method: str, url: str) -> None:
    if url == "threads//":  # an odd way to write /threads
        assert found(method, url) in (None, CALLS["post", "/threads"])
    else:
        assert match(method, url) is None


def test_what_a_route_is() -> None:
    def kinds(name: str) -> set[str]:
        matches: dict[str, Match | None] = {path: match(m, path) for m, path in CALLS}
        return (
            {f"{m} {p}" for m, p in CALLS if getattr(getattr(match(m, p), "route", None), name)}
            if matches
            else set()
        )

    assert kinds("starts_run") == {"post /threads/runs", "post /threads/t/runs"}
    assert kinds("is_poll") == {"get /threads/t/runs/r"}
    assert kinds("is_write") == {f"{m} {p}" for m, p in CALLS if m != "get"}
