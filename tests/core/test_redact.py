"""No text goes out that the owner did not let out: capture off, redaction, and what happens when it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum

import pytest
from msgspec import Struct
from msgspec.structs import replace

from runspan.core.assembly import assemble, failed_request
from runspan.core.conversation import Conversation
from runspan.core.lifecycle import RunState
from runspan.core.model import Agent, ApiError, Message, Part, RunRequest, RunStep, SpanData, ToolCall
from runspan.core.redact import CUT, Texts, clean, cut
from tests.core.words import KEY, SERVER, A, after, begun, event, said, seen, submit


def secret(what: str) -> str:
    return f"secret {what}"


def told_everything(status: str = "failed") -> tuple[RunState, Conversation, Agent]:
    """A run in which every text of the API is a secret with its own name."""
    definition = {
        "type": "function",
        "function": {
            "name": "look",
            "description": secret("definition"),
            "parameters": {"title": secret("schema")},
        },
    }
    asked = ToolCall("c1", "function", "look", secret("arguments"))
    code = ToolCall("c2", "code_interpreter", "code_interpreter", secret("code"), secret("logs"))
    state = after(
        event(5, "queued", tools=(definition,)),
        event(20, "requires_action", required=(asked,), tools=(definition,)),
        submit(30, 40, c1=secret("result")),
        seen(
            *(50, 50),
            run_id=KEY.run_id,
            steps=(
                RunStep("s1", "tool_calls", tool_calls=(replace(asked, output=secret("result")),)),
                RunStep(
                    "s2",
                    "tool_calls",
                    tool_calls=(code,),
                    error=ApiError("server_error", secret("step error")),
                ),
            ),
        ),
        event(
            *(60, status),
            instructions=secret("instructions"),
            metadata={"who": secret("metadata")},
            error=ApiError("server_error", secret("error")) if status == "failed" else None,
        ),
        state=begun(
            request=RunRequest(
                additional_instructions=secret("additional instructions"),
                additional_messages=(said(secret("additional message")),),
            )
        ),
    )
    state = replace(state, partial={"m9": secret("partial")})
    odd = Part("hologram", None, {"caption": secret("odd part"), "layers": [{"note": secret("nested")}]})
    log = Conversation(
        (
            said(secret("input"), "m1", created_at=A - 1),
            Message("m2", "assistant", (Part("text", secret("output")), odd), A + 1, KEY.run_id),
        )
    )
    return state, log, Agent("asst_1", "Tutor", secret("description"))


def strings(value: object) -> Iterator[str]:
    """Every text anywhere below `value`."""
    if isinstance(value, Enum):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from strings(getattr(value, name))
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from strings(key)
            yield from strings(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from strings(below)


def secrets(span: SpanData) -> set[str]:
    return {s for s in strings(span) if "secret" in s}


def tree(texts: Texts, status: str = "failed") -> SpanData:
    state, log, agent = told_everything(status)
    return assemble(state, log, agent, texts)


@pytest.mark.parametrize("status", ["failed", "completed", "expired", "in_progress"])
def test_without_capture_no_text_is_left_anywhere(status: str) -> None:
    assert secrets(tree(Texts(captures=False), status)) == set()
    request = RunRequest(
        additional_instructions=secret("more"), additional_messages=(said(secret("message")),)
    )
    refused = failed_request(
        SERVER, request, "t", 1, 2, ApiError("bad", secret("error")), Texts(captures=False)
    )
    assert secrets(refused) == set()


def test_with_capture_every_text_is_there() -> None:
    names = (
        *("instructions", "additional instructions", "additional message", "input", "output", "partial"),
        *("arguments", "result", "code", "logs", "metadata", "description", "error", "step error"),
        *("definition", "schema", "odd part", "nested"),
    )
    assert secrets(tree(Texts())) == {secret(name) for name in names}


def test_each_text_is_redacted_once_and_by_its_kind() -> None:
    heard: Counter[tuple[str, str]] = Counter()

    def redact(kind: str, text: str) -> str:
        heard[kind, text] += 1
        return "[gone]"

    assert secrets(tree(Texts(redact=redact))) == set()
    kinds = {
        "instructions": ("instructions", "additional instructions"),
        "input": ("input", "additional message"),
        "output": ("output", "partial", "odd part", "nested"),
        "tool.arguments": ("arguments", "code"),
        "tool.result": ("result", "logs"),
        "tool.definitions": ("definition", "schema"),
        "description": ("description",),
        "metadata": ("metadata",),
        "error": ("error", "step error"),
    }
    expected = {(kind, secret(name)): 1 for kind, names in kinds.items() for name in names}
    assert {k: n for k, n in heard.items() if "secret" in k[1]} == expected


def test_calls_that_still_wait_are_redacted_once_though_they_stand_twice() -> None:
    heard: list[str] = []

    def redact(kind: str, text: str) -> str:
        heard.append(text)
        return text

    asked = ToolCall("c1", "function", "look", secret("arguments"))
    state = after(event(20, "requires_action", required=(asked,)))
    assemble(state, Conversation(), None, Texts(redact=redact), unfinished="evicted")
    assert sorted(heard) == ["look", secret("arguments")]


def raises(kind: str, text: str) -> str:
    raise ValueError("no")


@pytest.mark.parametrize("redact", [raises, *(lambda k, t, r=r: r for r in (None, 5, b"x", ["x"], object()))])
def test_a_redactor_that_fails_drops_the_text_and_is_heard_of(redact: object) -> None:
    errors: list[Exception] = []
    span = tree(Texts(redact=redact, on_error=errors.append))  # type: ignore[arg-type]
    assert secrets(span) == set()
    assert errors
    assert {type(error) for error in errors} <= {ValueError, TypeError, AttributeError}
    assert tree(Texts(redact=redact)) == span, "also without anybody to tell"  # type: ignore[arg-type]


def test_texts_are_cut_with_a_mark() -> None:
    assert [cut("abcdef", n) for n in (0, 1, 3, 6, 9)] == [CUT, CUT, "ab" + CUT, "abcdef", "abcdef"]
    assert Texts(max_chars=3).keep("input", "abcdef") == "ab" + CUT
    assert Texts(max_chars=3).redacted("input", "abcdef") == "abcdef"
    assert Texts().keep("input", None) is None


def upper(kind: str, text: str) -> str:
    return f"{kind}:{text.upper()}"


LINK = {"type": "text", "file_id": "file_1", "detail": "high", "mime_type": "a/b", "sha256": "0f", "n": 1}


@pytest.mark.parametrize(
    ("texts", "part", "expected"),
    [
        (Texts(max_chars=6), Part("text", "abcdef"), None),
        (Texts(max_chars=5), Part("text", "abcdef"), Part("text", "abcd" + CUT, {"original_length": 6})),
        (
            Texts(redact=upper, max_chars=8),
            Part("odd", "abc", {**LINK, "note": "x", "list": ["y", {"type": "z"}]}),
            Part(
                *("odd", "input:A" + CUT),
                {**LINK, "note": "input:X", "list": ["input:Y", {"type": "z"}], "original_length": 9},
            ),
        ),
        (Texts(captures=False), Part("text", "abc", {"note": "x"}), Part("text", None, {"note": None})),
        (Texts(), Part("image_file"), None),
    ],
)
def test_a_part_and_its_fields(texts: Texts, part: Part, expected: Part | None) -> None:
    found = texts.part("input", part)
    assert found is part if expected is None else found == expected


def test_definitions_of_tools_keep_the_words_of_json_schema_and_nothing_else() -> None:
    definition = {
        "type": "function",
        "function": {
            "name": "look",
            "parameters": {"properties": {"file_id": {"type": "string"}, "detail": "d"}},
        },
    }
    expected = {
        "type": "function",
        "function": {
            "name": "tool.definitions:LOOK",
            "parameters": {
                "properties": {
                    "tool.definitions:FILE_ID": {"type": "string"},
                    "tool.definitions:DETAIL": "tool.definitions:D",
                }
            },
        },
    }
    assert Texts(redact=upper).value("tool.definitions", definition) == expected
    assert Texts(redact=raises).value("tool.definitions", {"secret": 1}) == {CUT: 1}
    assert Texts(redact=raises).value("metadata", {"plan": 1}) == {"plan": 1}


def test_what_things_are_called_is_kept_with_capture_off_and_redacted() -> None:
    assert Texts(captures=False, redact=upper).word("name", "Tutor") == "name:TUTOR"
    assert Texts(captures=False).word("name", None) is None


def test_lone_surrogates_are_replaced_and_everything_else_stays() -> None:
    assert clean("a\ud800b 𝄞 é 日本") == "a?b 𝄞 é 日本"
    assert Texts(redact=lambda _, t: t + "\udfff").keep("input", "a") == "a?"
