"""The checks of `make test-backends` see what is wrong; the programs themselves are that target's business."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

TOOLS = str(Path(__file__).parents[1] / "tools")


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TOOLS)


def made(**changes: Any) -> dict[str, Any]:
    whole = {
        "trace": "a" * 32,
        "span": "1" * 16,
        "parent": "2" * 16,
        "name": "chat gpt-4o",
        "start_ns": 1_000,
        "end_ns": 5_000,
        "is_error": False,
        "attributes": {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7},
    }
    return {**whole, **changes}


def wrong(*, twice: bool = False, **changes: Any) -> list[str]:
    """What the checks object to when a backend gives one of two spans back changed."""
    from backends.report import At
    from backends.told import Seen, Told, compared

    sent = [made(), made(span="3" * 16)]
    seen = [
        Seen(
            s["trace"], s["span"], s["parent"], s["name"], s["end_ns"] - s["start_ns"], False, s["attributes"]
        )
        for s in sent
    ]
    seen[0] = replace(seen[0], **changes)
    if twice:
        seen.append(seen[1])
    checks = compared(At("P", "1", "HTTP"), Told(sent, True, {}, {}), seen, grain_ns=0)
    return [check.what.strip() for check in checks if not check.is_held]


def test_what_arrived_as_it_was_sent_is_in_order() -> None:
    assert wrong() == []


@pytest.mark.parametrize(
    ("changes", "objections"),
    [
        ({"span": "9" * 16}, ["each once, known by id"]),
        ({"twice": True}, ["spans"]),
        ({"parent": None}, ["parents"]),
        ({"name": "chat"}, ["names"]),
        ({"is_error": True}, ["error flags"]),
        ({"duration_ns": 4_001}, ["durations"]),
        ({"trace": "b" * 32}, ["trace ids"]),
        ({"attributes": {"gen_ai.operation.name": "chat"}}, ["gen_ai.usage.input_tokens"]),
    ],
    ids=["lost", "twice", "parent", "name", "error", "duration", "trace", "attribute"],
)
def test_what_did_not_is_named(changes: dict[str, Any], objections: list[str]) -> None:
    assert wrong(**changes) == objections


def test_the_table_names_what_was_skipped_and_what_is_wrong() -> None:
    from backends.report import At, Skipped, draw

    at = At("Jaeger", "2", "HTTP")
    lines = draw(
        [at.same("spans", 2, 2), at.same("parents", 2, 1), Skipped(At("mlflow", "3"), "no network")]
    ).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["ok", "WRONG", "network"]
    assert "SKIPPED: no network" in lines[3]
    assert lines[1].startswith("Jaeger")


def test_a_program_that_can_not_be_installed_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import try_backends
    from backends import installs
    from backends.report import draw

    def install(folder: Path, pinned: str) -> None:
        raise installs.CannotInstallError("no network")

    monkeypatch.setattr(installs, "CACHE", tmp_path)
    program = installs.Program("jaeger", "2.13.0", "a@v1", install, "jaeger")
    monkeypatch.setitem(try_backends.SUBJECTS, "jaeger", (program,))
    reason = try_backends._lacking(program)
    assert reason == "no network"
    rows = list(try_backends._rows("jaeger", {"jaeger": reason}))
    assert draw(rows).splitlines()[1].split(maxsplit=2) == ["jaeger", "2.13.0", "SKIPPED: jaeger: no network"]


def test_every_subject_can_be_named_and_is_there() -> None:
    import try_backends

    assert [
        name for name in try_backends.SUBJECTS if not Path(TOOLS, "backends", f"{name}.py").exists()
    ] == []
    assert try_backends.main(["nonesuch"]) == 2


CHAT = {"gen_ai.operation.name": "chat"}


def shown_wrong(*more: Any, **changes: Any) -> list[str]:
    """What the checks object to when a backend shows one of two responses changed, or further spans."""
    from backends.report import At
    from backends.shown import generations
    from backends.told import Seen, Told

    facts = {"model": "gpt-4o", "error": None, "session": "conv_1", "took_s": 1.0}
    made_ = [{**facts, "id": id_, "above": "ask", "tokens in": 7} for id_ in ("resp_1", "resp_2")]
    attributes = {
        **CHAT,
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-4o",
        "session.id": "conv_1",
        "in": 7,
    }
    app = Seen("a", "0", None, "ask")
    first = Seen("a", "1", "0", "chat", 5_000, False, attributes)
    second = replace(first, span="2", attributes={**attributes, "gen_ai.response.id": "resp_2"})
    tool = Seen("a", "3", "0", "tool", 1, False, {"gen_ai.operation.name": "execute_tool"})
    seen = [app, replace(first, **changes), second, tool, *(replace(first, **one) for one in more)]
    told = Told([], True, {}, {}, {"asked": made_, "tools": [[None, "ask"]]})
    checks = generations(At("P", "1"), told, seen, {"tokens in": lambda s: s.attributes.get("in")})
    return [check.what.strip() for check in checks if not check.is_held]


@pytest.mark.parametrize(
    ("more", "changes", "objections"),
    [
        ([], {}, []),
        ([{}], {}, ["one generation each", "tokens in, all spans"]),
        ([{"attributes": {"in": 7}}], {}, ["tokens in, all spans"]),
        ([], {"parent": None}, ["below the span of the app or the agent"]),
        ([], {"duration_ns": 2_000_000_000}, ["no longer than the app waited"]),
        (
            [{"attributes": {"gen_ai.operation.name": "execute_tool"}, "parent": "1"}],
            {},
            ["tools, and the spans above"],
        ),
        (
            [],
            {"attributes": {**CHAT, "gen_ai.response.id": "resp_1", "error.type": "x", "in": 8}},
            ["model", "error", "session", "tokens in", "tokens in, all spans"],
        ),
    ],
    ids=["right", "twice", "tokens_twice", "parent", "duration", "tool", "values"],
)
def test_a_response_that_is_shown_differently_is_named(
    more: list[dict[str, Any]], changes: dict[str, Any], objections: list[str]
) -> None:
    assert shown_wrong(*more, **changes) == objections
