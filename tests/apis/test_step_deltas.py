"""Tool calls in pieces: what a stream had told of a step when it was cut."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runspan.apis.assistants.step_deltas import CALL_CHARS, StepDeltas
from runspan.core.model import Part, RunStep, ToolCall


def take(deltas: StepDeltas, piece: Any) -> None:
    deltas.take(piece, lambda id_: id_)


def delta(*calls: dict[str, Any], id_: str = "step_1") -> dict[str, Any]:
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return {"id": id_, "object": "thread.run.step.delta", "delta": {"step_details": details}}


def as_models(value: Any) -> Any:
    """As the client gives it: attributes instead of keys."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_models(inner) for key, inner in value.items()})
    return [as_models(one) for one in value] if isinstance(value, list) else value


DELTAS = [
    delta(
        {
            "index": 0,
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": "", "output": None},
        }
    ),
    delta({"index": 0, "type": "function", "function": {"arguments": '{"city":'}}),
    delta(
        {"index": 1, "id": "c2", "type": "code_interpreter", "code_interpreter": {"input": "", "outputs": []}}
    ),
    delta({"index": 0, "type": "function", "function": {"arguments": ' "Be'}}),
    delta({"index": 1, "type": "code_interpreter", "code_interpreter": {"input": "print("}}),
    delta({"index": 1, "type": "code_interpreter", "code_interpreter": {"input": "1)"}}),
    *(
        delta({"index": 1, "type": "code_interpreter", "code_interpreter": {"outputs": [output]}})
        for output in (
            {"index": 0, "type": "logs", "logs": "1"},
            {"index": 1, "type": "image", "image": {"file_id": "file-1"}},
            {"index": 0, "type": "logs", "logs": "2"},
        )
    ),
    delta({"index": 0, "id": "c3", "type": "file_search", "file_search": {"results": []}}, id_="step_2"),
]
STEP = RunStep(
    "step_1",
    "tool_calls",
    tool_calls=(
        ToolCall("c1", "function", "f", '{"city": "Be', is_incomplete=True),
        ToolCall(
            "c2",
            *("code_interpreter",) * 2,
            "print(1)",
            outputs=(Part("logs", "12"), Part("image", None, {"file_id": "file-1"})),
            is_incomplete=True,
        ),
    ),
)


@pytest.mark.parametrize("given", [DELTAS, as_models(DELTAS)], ids=["dicts", "models"])
def test_the_pieces_are_put_together(given: list[Any]) -> None:
    deltas = StepDeltas(1_000)
    for one in given:
        take(deltas, one)
    deltas.ended("step_2")
    assert deltas.steps(is_cut=True) == (STEP,)
    assert not any(call.is_incomplete for step in deltas.steps(is_cut=False) for call in step.tool_calls)


def test_a_call_of_the_server_is_named_by_its_type() -> None:
    deltas = StepDeltas(1_000)
    take(deltas, DELTAS[-1])
    (step,) = deltas.steps(is_cut=True)
    assert step.tool_calls == (ToolCall("c3", *("file_search",) * 2, is_incomplete=True),)


def test_no_more_is_kept_than_allowed() -> None:
    deltas = StepDeltas(CALL_CHARS + 7)
    for text in ("12345", "678", "90", "x"):
        take(deltas, delta({"index": 0, "type": "function", "function": {"arguments": text}}))
    assert deltas.steps(is_cut=True)[0].tool_calls[0].arguments == "1234590"


def test_calls_and_outputs_need_room_as_well() -> None:
    deltas = StepDeltas(2 * CALL_CHARS + 5)
    for index in range(3):
        take(deltas, delta({"index": index, "id": f"c{index}", "type": "code_interpreter"}))
    outputs: list[dict[str, Any]] = [
        {"index": 0, "logs": "123"},
        {"index": 1, "logs": "456"},
        {"index": 2, "image": {"file_id": "f-1"}},
        {"index": 3, "image": {"file_id": "f2"}},
        {"index": 4, "logs": ""},
    ]
    take(deltas, delta({"index": 0, "code_interpreter": {"outputs": outputs}}))
    take(deltas, delta({"index": 9}, id_="step_2"))
    (step,) = deltas.steps(is_cut=True)
    assert [call.id for call in step.tool_calls] == ["c0", "c1"]
    assert step.tool_calls[0].outputs == (Part("logs", "123"), Part("image", None, {"file_id": "f2"}))


ODD: list[Any] = [
    None,
    {},
    {"id": 5},
    {"id": "s", "delta": 3},
    delta({"index": "0"}),
    delta({"index": 0, "type": []}),
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_deltas_cost_nothing(odd: Any) -> None:
    deltas = StepDeltas(1_000)
    take(deltas, odd)
    take(deltas, delta(5, {"index": 0, "function": {"outputs": [3, {"index": None}]}}))  # type: ignore[arg-type]
    deltas.steps(is_cut=True)


@pytest.mark.parametrize("given", [lambda value: value, as_models], ids=["dicts", "models"])
def test_words_of_another_type_and_tools_of_later_days(given: Any) -> None:
    deltas = StepDeltas(1_000)
    deltas.ended("step_0")
    take(deltas, given(delta({"index": 0, "id": [5], "type": 6, "function": {"name": 7, "arguments": 8}})))
    take(deltas, given(delta({"index": 1, "id": "c", "type": "browse", "browse": {"input": "x"}})))
    (step,) = deltas.steps(is_cut=False)
    assert step.tool_calls == (ToolCall("", "function", None, ""), ToolCall("c", *("browse",) * 2))
