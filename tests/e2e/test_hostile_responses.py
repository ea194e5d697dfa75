"""Servers that imitate the API send odd things: the app gets what it got without us, and the trace what there is to be had."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from odd_objects import OBJECTS, RUN, all_calls, serve
from opentelemetry.sdk.trace import ReadableSpan
from tests.support.odd_server import Odd, odd_server
from tests.support.playing import App, client_of, drive
from tests.support.slices import wide
from tests.support.tracing import attribute, texts, traced

from runspan.runtime import worker

MISSING = object()
ALWAYS: list[Any] = [MISSING, None]
IN_TURNS: list[Any] = [
    True,
    -1,
    10**30,
    "\ud800 of later days",
    "x" * 20_000,
    [None, 1, "a", [], {}],
    {},
    {"type": "of_later_days", "of_later_days": {"value": None}},
]


def spoilt(name: str, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """All objects, with one field of one of them set to `value`."""
    objects = copy.deepcopy(OBJECTS)
    owner: Any = objects[name]
    for key in path[:-1]:
        owner = owner[key]
    if value is MISSING:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    return objects


def fields(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field, however deep."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from fields(inner, (*path, key))


def _is_worth_it(name: str, path: tuple[Any, ...]) -> bool:
    """What `waiting` and `over` share with `run` is odd there already."""
    return name not in ("waiting", "over") or OBJECTS[name][path[0]] != RUN[path[0]]


# One test per object and field. Each field gets three of the values; neighbours get other ones.
FIELDS = [(n, path) for n, whole in OBJECTS.items() for path in fields(whole) if _is_worth_it(n, path)]


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    with odd_server() as running:
        yield running


@pytest.fixture(scope="module")
def app(odd: Odd) -> Iterator[App]:
    """One client for all: a new one for each of hundreds of plays takes most of the time."""
    with client_of("OpenAI", odd) as client:  # type: ignore[arg-type]
        yield App("OpenAI", client, odd)  # type: ignore[arg-type]


def play(app: App, objects: dict[str, Any]) -> list[tuple[str, str]]:
    serve(app.server, objects)  # type: ignore[arg-type]
    return drive(all_calls(app), is_async=False)


def check(name: str, path: tuple[Any, ...], spans: Sequence[ReadableSpan]) -> None:
    runs, generations = ([s for s in spans if operation(s) == o] for o in ("invoke_agent", "chat"))
    assert len(runs) == len(generations) == 2
    for span in spans:  # whatever the strings hold, an exporter can encode them
        repr((span.name, span.status.description, [dict(e.attributes or {}) for e in span.events]))
        json.dumps(
            [span.name, span.status.description, dict(span.attributes or {})], ensure_ascii=False
        ).encode()
        assert max(len(v) for v in (span.attributes or {}).values() if isinstance(v, str)) <= 131_072
    if (name, path[0]) in CORE:
        return
    assert [attribute(run, "runspan.run.status") for run in runs] == ["completed"] * 2
    assert [attribute(run, "runspan.run.unfinished") for run in runs] == [None] * 2
    if name != "message":
        assert [texts(g, "output") for g in generations] == [["Good day."]] * 2
    if path[0] != "usage":
        assert [attribute(g, "gen_ai.usage.input_tokens") for g in generations] == [5, 5]


def operation(span: ReadableSpan) -> Any:
    return attribute(span, "gen_ai.operation.name")


# Where these are odd nobody can say whose run it is, or how it stands.
CORE = {(name, key) for name in ("run", "over") for key in ("id", "thread_id", "status")}


@pytest.mark.parametrize("values", ["one", *wide("all")])
@pytest.mark.parametrize(("name", "path"), FIELDS, ids=[f"{n}-{'.'.join(map(str, p))}" for n, p in FIELDS])
def test_one_odd_field_hurts_neither_the_app_nor_the_rest_of_the_trace(
    name: str, path: Any, values: str, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TICK_S", 0.0)
    turn = FIELDS.index((name, path))
    odd_ones = (*ALWAYS, IN_TURNS[turn % len(IN_TURNS)])
    for value in odd_ones if values == "all" else odd_ones[turn % len(odd_ones) :][:1]:
        objects = spoilt(name, path, value)
        bare = play(app, objects)
        with traced() as trace:
            assert play(app, objects) == bare, f"the app notices {value!r:.40}"
        try:
            check(name, path, trace.exporter.get_finished_spans())
        except AssertionError as error:
            raise AssertionError(f"with {value!r:.40}") from error
