"""runspan: one trace for each run of an assistant and for each background Response.

```python
import runspan

runspan.instrument()
```

From then on, runspan traces every run that the process creates with the official `openai` client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .config import ConfigError as ConfigError
    from .config import Limits as Limits
    from .observing.context import context as context
    from .observing.current import current_span_id as current_span_id
    from .observing.current import current_trace_id as current_trace_id
    from .observing.current import span as span
    from .observing.current import update as update
    from .observing.decorator import observe as observe
    from .observing.score import score as score
    from .observing.score import trace_url as trace_url
    from .processes import Adopted as Adopted
    from .processes import adopt as adopt
    from .processes import handoff as handoff
    from .setup import Handle as Handle
    from .setup import aflush as aflush
    from .setup import current_handle as current_handle
    from .setup import flush as flush
    from .setup import instrument as instrument
    from .setup import shutdown as shutdown
    from .setup import uninstrument as uninstrument
    from .stats import Stats as Stats

# Loaded when first used: `import runspan` costs an app nothing, and the fake server needs no OpenTelemetry.
_HOMES = {
    **dict.fromkeys(("ConfigError", "Limits"), ".config"),
    "context": ".observing.context",
    "observe": ".observing.decorator",
    **dict.fromkeys(("score", "trace_url"), ".observing.score"),
    "Stats": ".stats",
    **dict.fromkeys(("Adopted", "adopt", "handoff"), ".processes"),
    **dict.fromkeys(("current_span_id", "current_trace_id", "span", "update"), ".observing.current"),
    **dict.fromkeys(
        ("Handle", "aflush", "current_handle", "flush", "instrument", "shutdown", "uninstrument"),
        ".setup",
    ),
}

__all__ = sorted((*_HOMES, "__version__"))


if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            public = ", ".join(known for known in __all__ if not known.startswith("_"))
            raise AttributeError(f"module 'runspan' has no attribute {name!r}. It has: {public}")
        import_module("._compat", __name__).import_sdk()
        home = import_module(_HOMES[name], __name__)
        # All of its names: at the end of the interpreter, a finalizer that wants to flush can import nothing any more.
        globals().update({of: getattr(home, of) for of, where in _HOMES.items() if where == _HOMES[name]})
        return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
