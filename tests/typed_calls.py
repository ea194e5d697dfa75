"""What a type checker says of calls of runspan. `make check` runs mypy on this file; it is never run.

Each wrong call has a `type: ignore` with its error, and mypy reports an ignore that nothing needs.
"""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import runspan


def right() -> None:
    runspan.instrument()
    handle: runspan.Handle = runspan.instrument(
        endpoint="http://localhost:4318",
        headers={"authorization": "key"},
        service_name="app",
        backend="langfuse",
        file="traces.jsonl",
        tracer_provider=TracerProvider(),
        meter_provider=MeterProvider(),
        calls="all",
        capture_content="events",
        redact=lambda kind, text: text,
        background_fetch=False,
        propagate_in_metadata=True,
        bypass_other_instrumentations=True,
        prices={"gpt-4o": {"input": 2.5, "output": 10, "cached": 1}, "mine": "gpt-4o"},
        limits=runspan.Limits(settle_s=0, max_text_chars=100),
        enabled=True,
        set_global=False,
    )
    runspan.instrument(backend=None, capture_content=False, prices=False)
    emitted: int = handle.stats().emitted
    delivered: bool = runspan.flush(timeout=3) and runspan.uninstrument() and runspan.shutdown(timeout=1)
    headers: dict[str, str] = runspan.handoff("run_1")
    with runspan.adopt("run_1", headers), runspan.context(session_id="s", tags=["a"], metadata={"a": 1}):
        runspan.score("helpful", True, run_id="run_1", comment="yes")
    with runspan.span("turn", kind="tool", input=3) as turn:
        turn.update(output=[1])
    runspan.update(output=emitted, metadata={"delivered": delivered})


async def right_in_a_coroutine() -> bool:
    return await runspan.aflush(2)


@runspan.observe
def right_function(number: int) -> str:
    return str(number)


@runspan.observe(kind="tool", name="n", capture_input=False, transform_input=lambda given: given)
async def right_coroutine(number: int) -> str:
    return right_function(number)


def wrong() -> None:
    runspan.instrument(capture_contents=False)  # type: ignore[call-arg]
    runspan.instrument(fetch="never")  # type: ignore[call-arg]
    runspan.instrument(linger_s=0)  # type: ignore[call-arg]
    runspan.instrument("http://localhost:4318")  # type: ignore[call-arg]
    runspan.instrument(endpoint=4318)  # type: ignore[arg-type]
    runspan.instrument(headers="authorization=key")  # type: ignore[arg-type]
    runspan.instrument(backend="zipkin")  # type: ignore[arg-type]
    runspan.instrument(file=True)  # type: ignore[arg-type]
    runspan.instrument(tracer_provider="otlp")  # type: ignore[arg-type]
    runspan.instrument(meter_provider=TracerProvider())  # type: ignore[arg-type]
    runspan.instrument(calls="some")  # type: ignore[arg-type]
    runspan.instrument(capture_content="none")  # type: ignore[arg-type]
    runspan.instrument(redact="email")  # type: ignore[arg-type]
    runspan.instrument(background_fetch="never")  # type: ignore[arg-type]
    runspan.instrument(propagate_in_metadata="metadata")  # type: ignore[arg-type]
    runspan.instrument(bypass_other_instrumentations="past")  # type: ignore[arg-type]
    runspan.instrument(prices=True)  # type: ignore[arg-type]
    runspan.instrument(prices={"gpt-4o": 3})  # type: ignore[dict-item]
    runspan.instrument(limits={"settle_s": 1})  # type: ignore[arg-type]
    runspan.instrument(enabled="no")  # type: ignore[arg-type]
    runspan.Limits(settle_s="soon")  # type: ignore[arg-type]
    runspan.Limits(max_live_runs=[])  # type: ignore[arg-type]
    runspan.Limits(linger_s=1)  # type: ignore[call-arg]
    runspan.observe(kind="toool")  # type: ignore[call-overload]
    runspan.observe(nme="x")  # type: ignore[call-overload]
    runspan.span("turn", kind="toool")  # type: ignore[arg-type]
    runspan.span("turn", nme="x")  # type: ignore[call-arg]
    runspan.flush("5")  # type: ignore[arg-type]
    runspan.shutdown(timeout="now")  # type: ignore[arg-type]
    runspan.uninstrument(3)  # type: ignore[call-arg]
    runspan.score("helpful", None)  # type: ignore[arg-type]
    runspan.score("helpful", 1.0, run="run_1")  # type: ignore[call-arg]
    runspan.context(session=3)  # type: ignore[call-arg]
    runspan.context(session_id=3)  # type: ignore[arg-type]
    runspan.update(outputs=3)  # type: ignore[call-arg]
    runspan.handoff(3)  # type: ignore[arg-type]
    runspan.adopt("run_1", "headers")  # type: ignore[arg-type]
    runspan.instrumnt()  # type: ignore[attr-defined]
