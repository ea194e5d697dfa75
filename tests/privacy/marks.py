"""One unique string for each field that a user can fill, by what the design says of it."""

from __future__ import annotations

import json


def _marked(*names: str) -> dict[str, str]:
    return {name: f"CANARY-{name.replace('_', '-')}-7" for name in names}


# Texts: gone with content off, redacted with a redactor, recorded with content on.
CONTENT = _marked(
    "assistant_instructions",
    "assistant_description",
    "run_instructions",
    "additional_instructions",
    "question",
    "attached_question",
    "image_question",
    "additional_message",
    "answer",
    "code",
    "code_logs",
    "hit_name",
    "hit_text",
    "refusal",
    "arguments",
    "result",
    "tool_description",
    "tool_parameter",
    "tool_schema",
    "run_metadata",
    "run_metadata_key",
    "run_error",
    "api_error",
    "handler_error",
    "app_error",
    "argument",
    "argument_key",
    "returned",
    "streamed_item",
    "span_input",
    "span_output",
    "span_metadata",
    "updated_input",
    "updated_output",
    "updated_metadata",
    "context_metadata",
    "context_metadata_key",
    "comment",
    "file_name",
    "store_name",
    "search_query",
    "file_text",
    "store_error",
    "url_path",  # where a server repeats it in its error
)

# What an app calls things, so that they can be told apart. They stay with content off; a redactor sees them.
NAMES = _marked(
    "assistant_name",
    "tool_name",
    "session",
    "user",
    "tag",
    "trace_name",
    "score_label",
    "own_attribute",
    "span_name",
    "score_name",
)

# Recorded in no way at all, whatever is switched on.
NOT_RECORDED = _marked(
    "assistant_metadata",
    "thread_metadata",
    "message_metadata",
    "extra_header",
    "default_header",
    "extra_query",
    "default_query",
    "organization",
    "project",
    "run_user_field",
    "response_schema",
    "store_metadata",
    "file_attribute",
    "uploaded_bytes",
)

# Keys. They are masked even where a text of the app or of its server repeats them.
SECRETS = _marked(
    "api_key",
    "azure_key",
    "azure_token",
    "url_password",
    "url_key",
    "header_key",
    "call_header_key",
    "call_query_key",
    "named_secret",
    "backend_key",
)

ALL = {**CONTENT, **NAMES, **NOT_RECORDED, **SECRETS}

ARGUMENTS = json.dumps({"q": CONTENT["arguments"]})


def redacted(kind: str, text: str) -> str:
    """What the redactor of these tests does."""
    return text.replace("CANARY", "[gone]")


def seen_in(exported: bytes) -> set[str]:
    """Which of the marks are there, as they are."""
    return {name for name, mark in ALL.items() if mark.encode() in exported}


def seen_redacted_in(exported: bytes) -> set[str]:
    """Which of them are there in redacted form."""
    return {name for name, mark in ALL.items() if redacted("", mark).encode() in exported}
