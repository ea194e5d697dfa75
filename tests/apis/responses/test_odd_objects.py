"""Servers that imitate the API leave fields out, send null, or another type: whatever they send is read, and nothing raises."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from runspan.apis.api import Exchange, Match
from runspan.apis.objects import error_of_event
from runspan.apis.responses import API, events, objects, readers, routes
from runspan.core.model import ApiError, Outcome, Phase, Source, Usage
from tests.apis.responses.server import message, response
from tests.apis.responses.test_privacy import marked
from tests.support.stream_events import read

ODD = (None, [], {}, 0, -1, 1.5, True, "", "x", [None], [[]], [{}], {"a": None}, "\ud800", 10**30)
ASKED, ANSWER = marked()
MATCH = Match(routes.NEW.route, run_id="resp_1")


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from paths(inner, (*at, key))


def with_odd(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    spoiled = copy.deepcopy(value)
    owner = spoiled
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = odd
    return spoiled


def read_all(asked: Any, answer: Any) -> None:
    body = asked if isinstance(asked, dict) else {}
    objects.request(body, False)
    routes.answers(body.get)
    exchange = Exchange(MATCH, 1, 2, body, {}, answer)
    readers.run(exchange)
    readers.new_run(exchange)
    readers.input_items(Exchange(MATCH, 1, 2, {}, {}, {"data": body.get("input")}, Source.FETCH))
    for name in ("response.completed", "message.done", "item.added"):
        read(API, name, answer, 2, run_id="resp_1")
    for name, data in (
        ("", {"response": answer, "type": "response.completed"}),
        ("error", answer),
        ("", json.dumps(answer)),
    ):
        events.opened(name, data)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_nothing_raises_whatever_stands_in_a_field(odd: Any) -> None:
    for path in paths(ANSWER):
        read_all(ASKED, with_odd(ANSWER, path, odd))
    for path in paths(ASKED):
        read_all(with_odd(ASKED, path, odd), ANSWER)


def test_items_by_themselves_may_be_odd_too() -> None:
    for item in ANSWER["output"]:
        for path in paths(item):
            for odd in ODD:
                read(API, "item.done", with_odd(item, path, odd), 2, run_id="resp_1")


@pytest.mark.parametrize("status", [None, "completed"])
def test_an_object_without_a_status_is_complete_once_it_has_an_answer(status: str | None) -> None:
    run = objects.run({**response("completed", message(), background=False), "status": status})
    assert run is not None
    assert (run.status, run.phase, run.outcome) == ("completed", Phase.OVER, Outcome.COMPLETED)
    waiting = objects.run(
        {**response("completed", background=True), "status": None, "usage": None, "output": []}
    )
    assert waiting is not None
    assert waiting.phase is None


def test_what_is_no_response_is_no_run() -> None:
    assert objects.run({"id": "resp_1", "object": "response.compaction", "output": []}) is None
    assert objects.run({"id": "resp_1", "object": "response.deleted", "deleted": True}) is None
    assert objects.run({}) is None


def test_usage_is_what_the_last_object_says() -> None:
    azure = {
        "input_tokens": 10,
        "input_tokens_details": None,
        "output_tokens": 80,
        "input_token_details": {"cached_tokens": 3},
    }
    over = objects.run(response("completed", message(), usage=azure))
    alive = objects.run(response("in_progress", usage={"input_tokens": 0, "output_tokens": 0}))
    assert over is not None
    assert over.usage is not None
    assert (over.usage.prompt_tokens, over.usage.completion_tokens, over.usage.cached_tokens) == (10, 80, 3)
    assert alive is not None
    assert alive.usage is None


@pytest.mark.parametrize("told", [{"input_tokens": "30"}, {"total_tokens": 35}])
def test_usage_may_be_texts_or_half_of_a_total(told: dict[str, Any]) -> None:
    over = objects.run(response(usage={"output_tokens": 5.0, **told}))
    assert over is not None
    assert over.usage == Usage(30, 5)


def test_usage_may_have_the_words_of_the_chat_api() -> None:
    said = {
        "prompt_tokens": 10,
        "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    over = objects.run(response("completed", message(), usage=said))
    assert over is not None
    assert over.usage == Usage(10, 8, cached_tokens=3, reasoning_tokens=2)


def test_the_table_of_variants_has_a_row_for_each_value_of_the_option() -> None:
    assert set(API.variants) == {"background", "all", "none"}
    assert API.variants["none"] is None


def test_the_id_of_the_path_holds_whatever_an_answer_is_called() -> None:
    other = objects.run(response("in_progress") | {"id": "resp_other"}, None, "resp_1")
    assert other is not None
    assert (other.id, other.conversation_id) == ("resp_1", "resp_1")


def test_a_text_alone_is_an_answer() -> None:
    for field in ("output_text", "output"):
        told = {**response("completed"), "output": [], field: "It is 42."}
        found = readers.run(Exchange(MATCH, 1, 2, {}, {}, told))
        assert [part.text for m in found.messages for part in m.parts] == ["It is 42."]
    whole = {**response("completed"), "output_text": "It is 42."}
    assert len(readers.run(Exchange(MATCH, 1, 2, {}, {}, whole)).messages) == 1
    alive = {**response("in_progress"), "output_text": "It"}
    assert readers.run(Exchange(MATCH, 1, 2, {}, {}, alive)).messages == ()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("boom", ("error", "boom")),
        ({"code": 502, "message": "boom"}, ("502", "boom")),
        ([], None),
        ("", None),
    ],
)
def test_why_it_failed_may_be_a_text_and_its_code_a_number(said: Any, error: Any) -> None:
    run = objects.run(response("failed", error=said))
    assert run is not None
    assert run.error == (ApiError(*error) if error else None)
    assert error_of_event({"type": "error", "error": said}) == ApiError(*(error or ("error",)))


def test_an_event_without_a_type_is_what_its_response_says() -> None:
    assert events.opened("", {"response": response("in_progress")})[0] == "response.in_progress"
    assert events.opened("", {"response": response()})[0] == "response.completed"
    assert events.opened("", {"response": {"id": "resp_1"}})[0] == "response.None"
