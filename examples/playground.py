"""Where the examples run: a fake server, unless OPENAI_BASE_URL names a real one, and a picture of the trace at the end.

In your own app all of this is one line: `runspan.instrument()`.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest import mock

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import runspan
from runspan import fake
from runspan.fake.responses import Scenario as Response
from runspan.observing.console import draw


@contextmanager
def playground(
    *scenarios: fake.Scenario | str, responses: Sequence[Response | str] = (), webhook: str | None = None
) -> Iterator[None]:
    """What the next runs and responses of the fake do; without any it answers by itself. It tells `webhook` of their ends."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
        if "OPENAI_BASE_URL" not in os.environ:
            server = stack.enter_context(fake.serve("poll_after"))
            server.play_next(*scenarios)
            server.responses.play_next(*responses)
            if webhook:
                server.add_webhook(webhook)
            address = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none"}
            stack.enter_context(mock.patch.dict(os.environ, address))
        kept = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({SERVICE_NAME: "examples"}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(kept))
        runspan.instrument(tracer_provider=provider)
        try:
            yield
        finally:
            runspan.uninstrument()
        print()
        draw(kept.get_finished_spans())
