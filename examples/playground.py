"""Where the examples run: a fake server, unless OPENAI_BASE_URL names a real one, and a receiver that draws the trace.

In your own app all of this is one line: `runspan.instrument()`.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest import mock

import runspan
from runspan import fake
from runspan.fake.responses import Scenario as Response
from runspan.viewer import receiver, tree


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
        received = stack.enter_context(receiver.serve())
        runspan.instrument(endpoint=received.endpoint, service_name="examples")
        try:
            yield
        finally:
            runspan.uninstrument()
        print()
        tree.render(received.spans)
