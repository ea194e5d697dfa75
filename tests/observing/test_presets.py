"""The app's own spans and `runspan.context` in the words of a preset's backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import runspan
from runspan.conventions.observed import KINDS
from runspan.fake import SimulatedClock, serve
from tests.conventions.langfuse_table import Shown, shown
from tests.support.playing import client_of
from tests.support.tracing import Traced, attribute, traced

from .trees import span, spans


@pytest.fixture
def langfuse() -> Iterator[Traced]:
    with traced(backend="langfuse") as found:
        yield found


def seen(traces: Traced, name: str) -> Shown:
    of = span(traces, name)
    return shown(of.name, dict(of.attributes or {}))


def test_an_observed_function_in_langfuse(langfuse: Traced) -> None:
    @runspan.observe
    def answer(question: str) -> str:
        runspan.update(metadata={"attempt": 2, "by": "me"})
        return question.upper()

    with runspan.context(
        session_id="s",
        user_id="u",
        tags=["a", "b"],
        metadata={"plan": "pro", "n": {"x": 1}},
        trace_name="turn",
    ):
        answer("why?")
    (of,) = spans(langfuse)
    both = {"plan": "pro", "n": '{"x":1}'}
    assert shown(of.name, dict(of.attributes or {})) == Shown(
        type="span",
        name="turn",
        input={"question": "why?"},
        output="WHY?",
        session="s",
        user="u",
        tags=("a", "b"),
        metadata={**both, "attempt": "2", "by": "me"},
        trace_metadata=both,
        trace_name="turn",
    )


def test_every_kind_has_its_type(langfuse: Traced) -> None:
    for kind in KINDS:
        with runspan.span(kind, kind=kind):
            pass
    names = {s.name: shown(s.name, dict(s.attributes or {})).type for s in spans(langfuse)}
    assert {name.split()[-1]: type_ for name, type_ in names.items()} == {kind: kind for kind in KINDS}


def test_an_attribute_of_the_app_wins(langfuse: Traced) -> None:
    with runspan.span("s", attributes={"langfuse.observation.type": "guardrail"}):
        pass
    assert seen(langfuse, "s").type == "guardrail"


def test_scores_are_evaluators(langfuse: Traced) -> None:
    runspan.score("helpful", 1.0, trace_id="1" * 32)
    assert seen(langfuse, "score helpful").type == "evaluator"


def test_runs_and_calls_carry_the_context_too(langfuse: Traced) -> None:
    with serve("text", clock=SimulatedClock()) as server, client_of("OpenAI", server) as client:
        with runspan.context(tags=["t"], metadata={"plan": "pro"}, session_id="s"), runspan.span("turn"):
            assistant = client.beta.assistants.create(model="gpt-4o", name="Math Tutor")
            client.beta.threads.create_and_run_poll(
                assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
            )
        found: dict[str, Any] = {s.name: shown(s.name, dict(s.attributes or {})) for s in langfuse.spans()}
    assert len(found) == 4
    for one in found.values():
        assert (one.session, one.tags, one.trace_metadata) == ("s", ("t",), {"plan": "pro"})
    types = {name.split()[0]: one.type for name, one in found.items()}
    assert types == {"turn": "span", "create_agent": "span", "invoke_agent": "agent", "chat": "generation"}
    assert found["invoke_agent Math Tutor"].usage == {}
    assert found["chat gpt-4o"].usage["total"] > 0


def test_the_first_token_of_a_stream_is_a_moment_inside_the_run(langfuse: Traced) -> None:
    with serve("text", clock=SimulatedClock()) as server, client_of("OpenAI", server) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", name="Math Tutor")
        with client.beta.threads.create_and_run_stream(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
        ) as stream:
            stream.until_done()
        start = langfuse.generation()
    assert attribute(start, "gen_ai.response.time_to_first_chunk") is not None
    assert str(attribute(start, "langfuse.observation.completion_start_time")).endswith("Z")


def test_metadata_stays_here_where_nothing_is_captured() -> None:
    with traced(backend="langfuse", capture_content=False) as found:
        with runspan.context(metadata={"plan": "secret"}), runspan.span("s"):
            runspan.update(metadata={"more": "secret"})
        (of,) = spans(found)
    assert "secret" not in str(dict(of.attributes or {}))


def test_metadata_is_redacted_here_as_everywhere() -> None:
    with traced(backend="langfuse", redact=lambda kind, text: text.replace("secret", "***")) as found:
        with runspan.context(metadata={"plan": "secret"}), runspan.span("s"):
            runspan.update(metadata={"more": "secret"})
        (of,) = spans(found)
    assert attribute(of, "langfuse.trace.metadata.plan") == "***"
    assert attribute(of, "langfuse.observation.metadata.more") == "***"
    assert "secret" not in str(dict(of.attributes or {}))


def test_mlflow_has_words_of_its_own() -> None:
    with traced(backend="mlflow") as found:
        with runspan.span("s", kind="generation"):
            pass
        (of,) = spans(found)
    assert attribute(of, "mlflow.spanType") == "LLM"


def test_without_a_preset_no_backend_is_named() -> None:
    with traced() as found:
        with runspan.context(tags=["t"], metadata={"k": 1}, trace_name="n"), runspan.span("s"):
            pass
        (of,) = spans(found)
    assert not [key for key in of.attributes or {} if key.startswith(("langfuse", "mlflow"))]


def test_the_page_of_a_run_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a provider of the app only the backend's own variable can name the host of its page."""
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", "http://phoenix.test:6006")
    with (
        traced(backend="phoenix") as found,
        serve("text", clock=SimulatedClock()) as server,
        client_of("OpenAI", server) as client,
    ):
        assistant = client.beta.assistants.create(model="gpt-4o", name="Math Tutor")
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
        )
        trace_id = f"{found.run().context.trace_id:032x}"
        assert runspan.trace_url(run.id) == f"http://phoenix.test:6006/redirects/traces/{trace_id}"
        assert runspan.trace_url("run_unknown") is None
    assert runspan.trace_url(run.id) is None


def test_no_page_without_a_variable_where_the_provider_is_the_apps() -> None:
    with traced(backend="phoenix"), runspan.span("s"):
        assert runspan.trace_url() is None
