"""Head samplers and what the server is told: whole traces or none, and the run span's own traceparent on its POST."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from opentelemetry import context, propagate, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from test_parents import no_orphan
from tests.support.playing import BOTH, App, client_of, here, playing, spans_of_app_go_to
from tests.support.tracing import attribute, traced

both_clients = pytest.mark.parametrize("kind", BOTH)


def test_a_head_sampler_keeps_or_drops_whole_traces() -> None:
    """300 roots with a run each, at 10 %: the runs that go out are those of the roots that go out."""
    with (
        playing("OpenAI", "text") as app,
        traced(ParentBased(TraceIdRatioBased(0.1)), fetch="auto", settle_s=0.0) as found,
        spans_of_app_go_to(found.provider),
        app.client,
    ):
        thread: Any = {"messages": [{"role": "user", "content": "Hello."}]}
        for _ in range(300):
            with here("root"):
                stream = app.client.beta.threads.create_and_run(
                    assistant_id=app.assistant_id, thread=thread, stream=True
                )
            for _event in stream:
                pass
        spans = found.spans()
        names = sorted({s.name for s in spans})
        assert names == ["chat gpt-4o-mini", "invoke_agent", "root"]
        traces: dict[int, list[str]] = {}
        for span in spans:
            traces.setdefault(span.context.trace_id, []).append(span.name)
        assert 5 <= len(traces) <= 70
        assert [sorted(t) for t in traces.values()] == [names] * len(traces)
        no_orphan(found)
        stats = found.handle.stats()
        assert (stats.unrecorded, stats.emitted, stats.live) == (300 - len(traces), len(traces), 0)
        assert app.requests_of_runspan() == []


def test_a_sampler_that_drops_all_leaves_the_app_alone() -> None:
    with playing("OpenAI") as app, traced(ALWAYS_OFF) as found, app.client:
        run = app.client.beta.threads.runs.create_and_poll(**app.asked)
        assert run.status == "completed"
        assert found.spans() == []


# ---------------------------------------------------------------- what the server is told


@both_clients
def test_the_run_span_is_current_during_its_post_and_not_afterwards(kind: str) -> None:
    seen: dict[str, list[str]] = {}

    def inject(request: Any) -> None:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        seen.setdefault(f"{request.method} {request.url.path.rsplit('/', 1)[-1][:3]}", []).append(
            headers.get("traceparent", "")[36:52]
        )

    async def ainject(request: Any) -> None:
        inject(request)

    async def case(app: App) -> None:
        with here("create") as creator:
            before = context.get_current()
            run = await app.got(app.runs.create(**app.asked))
            assert trace.get_current_span() is creator
            assert context.get_current() == before
        await app.got(app.runs.poll(run.id, app.thread_id))

    with playing(kind) as app, traced() as found, spans_of_app_go_to(found.provider):
        is_async = kind.startswith("Async")
        http = openai.DefaultAsyncHttpxClient if is_async else openai.DefaultHttpxClient
        hooks: Any = {"request": [ainject if is_async else inject]}
        app.client = client_of(kind, app.server, http_client=http(verify=False, event_hooks=hooks))
        app.play(case)
        assert seen["POST run"] == [f"{found.run().context.span_id:016x}"]
        assert set(seen["GET run"]) == {""}


@both_clients
def test_the_events_of_a_stream_are_read_under_the_apps_own_span(kind: str) -> None:
    names: list[Any] = []

    async def on_text_delta(*_: Any) -> None:
        names.append(trace.get_current_span().name)  # type: ignore[attr-defined]

    async def case(app: App) -> None:
        with here("read"):
            handler = app.handler(on_text_delta=on_text_delta)
            async with app.opened(app.runs.stream(**app.asked, event_handler=handler)) as stream:
                await app.got(stream.until_done())

    with playing(kind) as app, traced() as found, spans_of_app_go_to(found.provider):
        app.play(case)
        assert set(names) == {"read"}
        assert attribute(found.run(), "runspan.run.status") == "completed"
