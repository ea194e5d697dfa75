"""The pages of a Response: what it asked and answered once, its tools, its sources, its model's name once."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.viewer.conversation import answered, last_deed
from runspan.viewer.web.panel import exchange, panel

from ..hand_made import messages, operation, span
from ..runs import a_run
from .test_pages import Get, Send, plain

THREAD = {"gen_ai.conversation.id": "resp_1"}


def item(kind: str, id_: str, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"type": kind, "id": id_, "name": "web_search" if kind == "server_tool_call" else "look", **fields}
    ]


SEARCHED, ASKED, SUNNY = item("server_tool_call", "ws_1"), item("tool_call", "call_1"), "Sunny."
TOOL = span(
    2, 1, "execute_tool web_search", 0, 9, **operation("execute_tool", {"gen_ai.tool.call.id": "ws_1"})
)


def response(*said: Any) -> Any:
    attributes = {
        "runspan.api": "responses",
        "gen_ai.output.messages": messages(*(("assistant", one) for one in said)),
    }
    return span(1, 0, "chat gpt-4o", 0, 10, **operation("chat", attributes))


@pytest.mark.parametrize(
    ("said", "below", "kinds"),
    [
        ((SEARCHED, SUNNY), [TOOL], ["text"]),
        ((SEARCHED, SUNNY), [], ["tool_call", "text"]),
        ((SEARCHED, ASKED), [TOOL], ["tool_call"]),
    ],
    ids=["a_tool_with_a_span", "a_tool_without", "a_call_that_the_app_answers"],
)
def test_a_call_is_shown_once_as_a_step_or_as_a_message(said: Any, below: Any, kinds: list[str]) -> None:
    for shown in (panel(response(*said), below, (), 0).answered, exchange(response(*said), below, ())[1]):
        assert [part.kind for one in shown for part in one.parts] == kinds


@pytest.mark.parametrize(
    ("annotation", "note"),
    [
        (
            {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 5},
            "A · https://a.test",
        ),
        (
            {"type": "file_citation", "file_id": "file-1", "filename": "birds.txt", "index": 27},
            "birds.txt · file-1",
        ),
        ({"type": "other", "x": 1}, '{"type": "other", "x": 1}'),
    ],
)
def test_a_source_is_named_by_its_title(annotation: dict[str, Any], note: str) -> None:
    said = response([{"type": "text", "content": SUNNY, "annotations": [annotation]}])
    assert answered(said.attributes)[0].parts[0].notes == (note,)


def test_all_calls_of_one_answer_are_its_deed() -> None:
    again = item("tool_call", "call_2", arguments={"a": 1})
    said = messages(
        ("user", "Look!"),
        ("tool", item("tool_call_response", "c")),
        ("assistant", ASKED),
        ("assistant", again),
    )
    assert last_deed(answered({"gen_ai.output.messages": said})) == 'calls look(), look({"a": 1})'


def test_the_model_is_named_once_and_is_no_assistant(get: Get, send: Send) -> None:
    model, asked = "gpt-4o-2024-08-06", messages(("user", "Why?"))
    one = response(SUNNY)
    one.attributes.update({"gen_ai.response.model": model, "gen_ai.input.messages": asked, **THREAD})
    send(one, *a_run(7))
    for page in ("/?q=Why", f"/trace/{one.trace_id}", "/thread?id=resp_1"):
        said = plain(get(page))
        head = said[said.index("Why") :].partition("Details beside")[
            0
        ]  # without filters and the span's own panel
        assert head.count(model) == 1, page
    pair = f"/compare?run={one.trace_id}.{one.span_id}&run={7:032x}.{2:016x}"
    assert "Assistant Weather –" in plain(get(pair)) or "Assistant – Weather" in plain(get(pair))
