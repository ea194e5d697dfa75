"""Another tracer of the client beside runspan: one line names the option, and what is asked to go past it goes past it."""

from __future__ import annotations

import functools
import logging
from typing import Any

import openai
import pytest

from tests.apis.responses.apps import created, of_responses, polled, responding
from tests.support.playing import BOTH, App
from tests.support.tracing import traced

LINES = {  # value of the option -> what the line says of it, and what it does not
    "background": ('responses="none" leaves them to it', "All Responses"),
    "all": ('responses="background" leaves plain and streamed ones to it', "in the background have"),
    "none": ("bypass_other_instrumentations=True", "Responses have"),
}


def made_up(wrapped: Any, calls: list[str]) -> Any:
    """A wrapper as OpenInference makes them, by where it is defined."""
    namespace: dict[str, Any] = {"__name__": "openinference.instrumentation.openai._made_up"}
    exec(
        "def wrap(wrapped, see):\n"
        "    def request(self, *args, **kwargs):\n"
        "        see(args[1] if len(args) > 1 else kwargs['options'])\n"
        "        return wrapped(self, *args, **kwargs)\n"
        "    return request\n",
        namespace,
    )
    see = lambda options: calls.append(f"{options.method} {options.url}")  # noqa: E731
    return functools.wraps(wrapped)(namespace["wrap"](wrapped, see))


@pytest.fixture
def neighbour(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts one on a class of the client; what went through it."""

    def wrap(kind: str) -> list[str]:
        owner, calls = getattr(openai, kind), list[str]()
        monkeypatch.setattr(owner, "request", made_up(owner.request, calls), raising=False)
        return calls

    return wrap


async def both_kinds(app: App) -> None:
    await created(app, background=False)
    await polled(app, await created(app))


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("responses", LINES)
def test_one_line_names_the_option(
    kind: str, responses: Any, neighbour: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with responding(kind) as app, caplog.at_level(logging.INFO, "runspan"):
        calls = neighbour(kind)
        with traced(responses=responses) as trace:
            app.play(both_kinds)
            assert len(of_responses(trace)) == {"background": 1, "all": 2, "none": 0}[responses]
    (line,) = [r.getMessage() for r in caplog.records if "OpenInference" in r.getMessage()]
    says, never = LINES[responses]
    assert says in line
    assert never not in line
    assert calls.count("post /responses") == 2, "by default it records what it records without us"


@pytest.mark.parametrize("kind", BOTH)
def test_only_what_is_traced_here_goes_past_it(kind: str, neighbour: Any) -> None:
    with responding(kind) as app:
        calls = neighbour(kind)
        with traced(bypass_other_instrumentations=True) as trace:
            app.play(both_kinds)
            assert len(of_responses(trace)) == 1
    assert calls == ["post /responses"], "the plain one"
