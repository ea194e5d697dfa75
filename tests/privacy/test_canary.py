"""Unique strings in every field that a user can fill, looked for in every byte that leaves the process.

Both places where a text may be and where it may not are in `marks.py`; what goes where with content on is the table below.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from runspan import guard
from runspan.conventions import EXTRAS
from runspan.presets import PRESETS
from tests.privacy.exported import Exported, exported
from tests.privacy.marks import (
    ALL,
    CONTENT,
    NAMES,
    NOT_RECORDED,
    SECRETS,
    redacted,
    seen_in,
    seen_redacted_in,
)
from tests.privacy.talkative import HAS_SEARCH
from tests.support.playing import ALL_FOUR

four_clients = pytest.mark.parametrize("kind", ALL_FOUR)

# Marks that only the calls of an OpenAI client leave: Azure's addresses are its own.
OF_OPENAI = {"url_path"}
OF_SEARCH = {"search_query", "file_text"}


def of(kind: str, names: Mapping[str, str]) -> set[str]:
    """Those that can be there with this client."""
    return set(names) - (OF_OPENAI if "Azure" in kind else set()) - (set() if HAS_SEARCH else OF_SEARCH)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda kind, **options: exported(kind, monkeypatch, capfd, **options)


@four_clients
def test_with_content_off_no_text_is_in_any_exported_byte(kind: str, play: Any) -> None:
    out: Exported = play(kind, capture_content=False)
    assert seen_in(out.everything) == set(NAMES), "what remains are names and ids of the app's own"
    for way in ("spans", "logs", "metrics", "console", "own_lines"):
        assert not seen_in(getattr(out, way)) - set(NAMES), way


@pytest.mark.parametrize("calls", ["all", "none"])
@pytest.mark.parametrize("has_logs", [True, False])
def test_nor_by_other_options_of_the_same_switch(calls: str, has_logs: bool, play: Any) -> None:
    assert seen_in(play("OpenAI", capture_content=False, calls=calls, has_logs=has_logs).everything) <= set(
        NAMES
    )


@four_clients
def test_with_a_redactor_every_text_and_every_name_goes_out_in_its_redacted_form_only(
    kind: str, play: Any
) -> None:
    out: Exported = play(kind, redact=redacted)
    assert seen_in(out.everything) == set()
    assert seen_redacted_in(out.everything) == of(kind, CONTENT) | set(NAMES)


@four_clients
def test_with_content_on_each_text_is_there_and_no_secret_is(kind: str, play: Any) -> None:
    out: Exported = play(kind)
    assert seen_in(out.everything) == of(kind, CONTENT) | set(NAMES)
    assert seen_in(out.metrics) == {"assistant_name", "tool_name"}
    assert not seen_in(out.own_lines)


@pytest.mark.parametrize("backend", EXTRAS)
@pytest.mark.parametrize("option", ["capture_content", "redact"])
def test_nor_by_the_extra_attributes_of_a_backend(
    option: str, backend: str, play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in PRESETS[backend].needs:
        monkeypatch.setenv(variable, SECRETS["backend_key"])
    out: Exported = play(
        "OpenAI", backend=backend, **{option: {"capture_content": False, "redact": redacted}[option]}
    )
    assert seen_in(out.everything) == (set(NAMES) if option == "capture_content" else set())
    assert (b"langfuse." in out.spans) == (backend == "langfuse")


def test_the_switch_of_the_standard_variable_is_the_same_one(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT")
    assert seen_in(play("OpenAI").everything) == set(NAMES)


def test_event_only_puts_content_on_log_records_alone(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs; the app's own functions have no such record."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "EVENT_ONLY")
    out: Exported = play("OpenAI")
    assert seen_in(out.spans + out.metrics + out.console + out.own_lines) == set(NAMES) - {
        "score_label",
        "score_name",
    }
    assert seen_in(out.logs) >= {"question", "answer", "run_instructions", "tool_description"}
    assert not seen_in(out.logs) & set(SECRETS)
    monkeypatch.undo()


def test_event_only_with_a_redactor(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT")
    assert seen_in(play("OpenAI", redact=redacted).everything) == set()


# ---------------------------------------------------------------- where the design says

CHAT, RUN, TOOL = "chat", "invoke_agent", "execute_tool"
ERROR = ("status", "exception.exception.message")
ARGUMENTS = ("gen_ai.tool.call.arguments", "input.value")
RESULT = ("gen_ai.tool.call.result", "output.value")
FIRST = "retrieval.documents.0.document"


def at(where: str, *keys: str) -> set[str]:
    return {f"{where}: {key}" for key in keys}


PLACES: Mapping[str, set[str]] = {
    "assistant_instructions": at(CHAT, "gen_ai.system_instructions"),
    "assistant_description": at(RUN, "gen_ai.agent.description"),
    "run_instructions": at(CHAT, "gen_ai.system_instructions"),
    "additional_instructions": at(CHAT, "gen_ai.system_instructions"),
    "question": at(CHAT, "gen_ai.input.messages"),
    "attached_question": at(CHAT, "gen_ai.input.messages"),
    "image_question": at(CHAT, "gen_ai.input.messages"),
    "additional_message": at(CHAT, "gen_ai.input.messages") | at(RUN, "input.value"),
    "answer": at(CHAT, "gen_ai.input.messages", "gen_ai.output.messages") | at(RUN, "output.value"),
    "code": at(TOOL, *ARGUMENTS) | at(CHAT, "gen_ai.output.messages"),
    "code_logs": at(TOOL, *RESULT) | at(CHAT, "gen_ai.output.messages"),
    "hit_name": at(TOOL, *RESULT, "gen_ai.retrieval.documents", "retrieval.documents.0.document.metadata")
    | at(CHAT, "gen_ai.output.messages"),
    "hit_text": at(TOOL, "gen_ai.retrieval.documents", "retrieval.documents.0.document.content"),
    "refusal": at(CHAT, "gen_ai.input.messages", "gen_ai.output.messages") | at(RUN, "output.value"),
    "arguments": at(TOOL, *ARGUMENTS) | at(CHAT, "gen_ai.output.messages"),
    "result": at(TOOL, *RESULT) | at(CHAT, "gen_ai.output.messages"),
    "tool_description": at(CHAT, "gen_ai.tool.definitions") | at(TOOL, "gen_ai.tool.description"),
    "tool_parameter": at(CHAT, "gen_ai.tool.definitions"),
    "tool_schema": at(CHAT, "gen_ai.tool.definitions"),
    "run_metadata": at(RUN, "runspan.run.metadata"),
    "run_metadata_key": at(RUN, "runspan.run.metadata"),
    "run_error": at(RUN, *ERROR) | at(CHAT, *ERROR),
    "api_error": at("create_message", *ERROR),
    "handler_error": at(RUN, "exception.exception.message"),
    "url_path": at(RUN, *ERROR),
    "app_error": at(TOOL, *ERROR),
    "argument": at("answer", "input.value"),
    "argument_key": at("answer", "input.value"),
    "returned": at("returns", "input.value", "output.value"),
    "streamed_item": at("pieces", "input.value", "output.value"),
    "span_input": at(NAMES["span_name"], "input.value"),
    "span_output": at(NAMES["span_name"], "output.value"),
    "span_metadata": at(NAMES["span_name"], "metadata"),
    "updated_input": at(TOOL, *ARGUMENTS),
    "updated_output": at("answer", "output.value"),
    "updated_metadata": at("answer", "metadata"),
    "comment": at("gen_ai.evaluation.result", "gen_ai.evaluation.explanation"),
    "assistant_name": at(RUN, "name", "agent.name", "gen_ai.agent.name"),
    "tool_name": at(TOOL, "name", "gen_ai.tool.name")
    | at(CHAT, "gen_ai.tool.definitions", "gen_ai.output.messages"),
    "file_name": at("upload_file", "runspan.file.name")
    | at("retrieval", "gen_ai.retrieval.documents", f"{FIRST}.metadata"),
    "store_name": at("create_vector_store", "runspan.vector_store.name"),
    "search_query": at("retrieval", "gen_ai.retrieval.query.text", "input.value"),
    "file_text": at("retrieval", "gen_ai.retrieval.documents", f"{FIRST}.content"),
    "store_error": at("create_vector_store_file", *ERROR),
    "score_label": at("gen_ai.evaluation.result", "gen_ai.evaluation.score.label"),
    "score_name": at("gen_ai.evaluation.result", "gen_ai.evaluation.name"),
    "span_name": at(NAMES["span_name"], "name"),
    "own_attribute": at(NAMES["span_name"], "app.plan") | at(TOOL, "app.plan"),
}
# On every span below `runspan.context`.
AROUND = {
    "context_metadata": "metadata",
    "context_metadata_key": "metadata",
    "session": "session.id",
    "user": "user.id",
    "tag": "tag.tags",
}
AROUND |= {"trace_name": "runspan.trace.name"}


@pytest.mark.skipif(not HAS_SEARCH, reason="this openai has no vector store search")
def test_with_content_on_each_stands_where_the_design_says_and_nowhere_else(play: Any) -> None:
    out: Exported = play("OpenAI")
    found = {name: set(_places_of(mark, out)) for name, mark in ALL.items()}
    wrong = [(name, found[name], due) for name, due in PLACES.items() if found[name] != due]
    assert wrong == []
    for name, key in AROUND.items():
        assert found[name] >= at(RUN, key) | at(CHAT, key) | at(TOOL, key) | at("create_message", key)
        assert {place.partition(": ")[2] for place in found[name]} == {key}
    assert {name for name in (*NOT_RECORDED, *SECRETS) if found[name]} == set()
    assert {*PLACES, *AROUND, *NOT_RECORDED, *SECRETS} == set(ALL)


def _places_of(mark: str, out: Exported) -> Iterator[str]:
    """Without the number of the span."""
    yield from (place.partition(" ")[2] for place, value in out.places.items() if mark in value)


# ---------------------------------------------------------------- our own log lines


@pytest.mark.expects_swallowed
@pytest.mark.parametrize("capture_content", [True, False])
def test_a_redactor_that_raises_lets_nothing_out_and_its_message_is_not_logged(
    capture_content: bool, play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_counts", Counter())  # each place is logged once

    def broken(kind: str, text: str) -> str:
        raise ValueError(f"cannot redact {text}")

    out: Exported = play("OpenAI", redact=broken, capture_content=capture_content)
    assert seen_in(out.everything) == set()
    assert b"ValueError while it tried to redact a text" in out.own_lines


def test_a_wrong_setting_is_named_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    import runspan
    from runspan.config import ConfigError

    wrong: dict[str, Any] = {
        "endpoint": f"ftp://u:{SECRETS['url_password']}@x/?key={SECRETS['url_key']}",
        "headers": {"authorization": [SECRETS["header_key"]]},
    }
    with caplog.at_level(logging.DEBUG):
        for name, value in wrong.items():
            with pytest.raises(ConfigError) as refused:
                runspan.instrument(**{name: value})
            assert not seen_in(str(refused.value).encode())
        with pytest.raises(ConfigError) as refused:
            runspan.instrument(endpoint=f"collector/?key={SECRETS['url_key']}")
        assert not seen_in(str(refused.value).encode())
    assert not seen_in(caplog.text.encode())


def test_the_handle_shows_no_secrets() -> None:
    import runspan
    from tests.support.tracing import traced

    endpoint = f"http://u:{SECRETS['url_password']}@127.0.0.1:9/?key={SECRETS['url_key']}"
    with traced(
        tracer_provider=None, endpoint=endpoint, headers={"k": SECRETS["header_key"]}, exit_timeout_s=0.0
    ) as on:
        assert not seen_in(repr(on.handle.config).encode())
        runspan.flush(0.1)
