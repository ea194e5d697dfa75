"""pytest fixtures for code that uses assistants or responses, and for its traces: a plugin that is there once runspan is installed.

    def test_the_tutor_solves_it(assistants_server, run_traces):
        assert solve("3x + 11 = 14") == "the solution of 3x + 11 = 14 is x = 1."
        assert run_traces.only.status == "completed"

`assistants_server` (or `responses_server`) is `runspan.fake` on a free port, `run_traces` what runspan traced of the test. The
marker `@pytest.mark.runspan(capture_content=False)` passes options of `runspan.instrument()`. Nothing of OpenTelemetry or of the
client is imported before a fixture is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .capture import RunTraces as RunTraces
    from .capture import capture_runs as capture_runs
    from .guarding import Swallowed as Swallowed
    from .guarding import strict as strict
    from .guarding import swallowed as swallowed
    from .traces import Message as Message
    from .traces import RunTrace as RunTrace
    from .traces import ToolCall as ToolCall
    from .traces import Usage as Usage

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

# Loaded when first used: pytest loads the plugin below this package at every start.
_HOMES = {
    **dict.fromkeys(("RunTraces", "capture_runs"), ".capture"),
    **dict.fromkeys(("Swallowed", "strict", "swallowed"), ".guarding"),
    **dict.fromkeys(("Message", "RunTrace", "ToolCall", "Usage"), ".traces"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'runspan.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name], __name__), name)
    return value
