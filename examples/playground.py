"""Where the examples run: a fake Assistants server, unless OPENAI_BASE_URL names another one, and a receiver that draws the trace.

In your own app all of this is one line: `runspan.instrument()`.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import runspan
from runspan import fake
from runspan.viewer import receiver, tree


@contextmanager
def playground(*scenarios: fake.Scenario | str) -> Iterator[None]:
    """`scenarios` is what the next runs of the fake do; without any it answers by itself."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
        if "OPENAI_BASE_URL" not in os.environ:
            server = stack.enter_context(fake.serve("poll_after"))
            server.play_next(*scenarios)
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
