"""pytest fixtures for assistants code and its traces, a plugin that is there once runspan is installed.

    def test_the_tutor_solves_it(assistants_server, run_traces):
        assert solve("3x + 11 = 14") == "the solution of 3x + 11 = 14 is x = 1."
        assert run_traces.only.status == "completed"

`assistants_server` is `runspan.fake` on a free port, `run_traces` what runspan traced of the test. The marker
`@pytest.mark.runspan(capture_content=False)` passes options of `runspan.instrument()`. Nothing of OpenTelemetry or of the client is
imported before a fixture is used.
"""

from .capture import RunTraces, capture_runs
from .guarding import Swallowed, strict, swallowed
from .traces import Message, RunTrace, ToolCall, Usage

__all__ = [
    "Message",
    "RunTrace",
    "RunTraces",
    "Swallowed",
    "ToolCall",
    "Usage",
    "capture_runs",
    "strict",
    "swallowed",
]
