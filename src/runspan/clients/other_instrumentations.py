"""Other tracers of the same client: each is named in one line. By default they record what they record without runspan.

They wrap `OpenAI.request` (OpenInference, Logfire) or methods of the resources (OpenLLMetry, AgentOps; the instrumentor that
azure-ai-agents brings). On the paths of runs that gives a second set of spans with the same tokens, and with OpenLLMetry 0.62
exceptions in the app's own calls.
`bypass_other_instrumentations` takes calls about runs past them; all others go through them as before.
An `OpenAI.request` that was wrapped before runspan came does not lead to `SyncAPIClient.request`, where runspan listens: then
runspan also listens around that wrapper. Other tracers may come later, so runspan looks whenever a run begins, on the worker.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

from .. import _compat
from ..apis.api import Apis
from ..guard import guarded
from .install import Installer
from .openai.request_options import field

logger = logging.getLogger("runspan")


OPENAI = "openai"


@dataclass(frozen=True, slots=True)
class Neighbour:
    name: str
    traces_runs: bool = True  # else chat and the like alone
    client: str = OPENAI
    records: str = "Assistants calls with their tokens"


# By where their wrappers are defined; the first prefix that fits.
KNOWN: Mapping[str, Neighbour] = {
    "openinference.": Neighbour("OpenInference"),
    "logfire.": Neighbour("Logfire"),
    "agentops.": Neighbour("AgentOps"),
    "opentelemetry.instrumentation.openai_v2": Neighbour("opentelemetry-instrumentation-openai-v2", False),
    "opentelemetry.instrumentation.genai.": Neighbour("opentelemetry-instrumentation-genai-openai", False),
    "opentelemetry.instrumentation.openai.": Neighbour("OpenLLMetry"),
    "ddtrace.": Neighbour("ddtrace", False),
    "azure.ai.agents.telemetry.": Neighbour(
        "AIAgentsInstrumentor",
        client="azure-ai-agents",
        records="runs with their tokens, and those of create_and_process on two spans",
    ),
}

SUPPRESSING = ("logfire.openai",)  # scopes of spans whose makers switch off whatever instrumentation is below

RESOURCES: Mapping[str, tuple[str, ...]] = {
    "openai.resources.beta.assistants": ("Assistants", "AsyncAssistants"),
    "openai.resources.beta.threads.threads": ("Threads", "AsyncThreads"),
    "openai.resources.beta.threads.messages": ("Messages", "AsyncMessages"),
    "openai.resources.beta.threads.runs.runs": ("Runs", "AsyncRuns"),
    "openai.resources.beta.threads.runs.steps": ("Steps", "AsyncSteps"),
    **dict.fromkeys(("azure.ai.agents", "azure.ai.agents.aio"), ("AgentsClient",)),
    **dict.fromkeys(
        ("azure.ai.agents.operations", "azure.ai.agents.aio.operations"),
        ("ThreadsOperations", "MessagesOperations", "RunsOperations", "RunStepsOperations"),
    ),
    "azure.ai.agents.models": ("AgentRunStream", "AsyncAgentRunStream"),
}
# Where those that leave runs alone can be seen: classes of which they wrap `create`.
OF_MODELS: Mapping[str, tuple[str, ...]] = {
    "openai.resources.chat.completions.completions": ("Completions",),
    "openai.resources.chat.completions": ("Completions",),
    "openai.resources.responses.responses": ("Responses",),
}
MAX_LAYERS = 20

PASSED = (
    "runspan: %s traces the %s client, too. Calls that runspan traces bypass it, all others go through it; "
    "bypass_other_instrumentations=False keeps both.%s See docs/other-tracers.md."
)
BESIDE = (
    "runspan: %s traces the %s client, too. It makes no spans for Assistants runs, so no tokens are counted twice.%s "
    "See docs/other-tracers.md."
)
TWICE = (
    "runspan: %s traces the %s client, too. It records %s, so a backend counts them twice; "
    "runspan.instrument(bypass_other_instrumentations=True) makes Assistants calls bypass it.%s See docs/other-tracers.md."
)
ONE_CLIENT = (
    "runspan: %s wraps single clients, which runspan cannot bypass: Assistants calls have its spans, too. Let it wrap all clients "
    "at once (logfire.instrument_openai() without a client). See docs/other-tracers.md."
)
BLIND = (
    "runspan: %s.request was replaced (%s) before runspan.instrument() was called, so runs of its clients are not seen. "
    "Call runspan.instrument() first."
)


class OtherInstrumentations:
    """`look()` finds them; `remove()` puts back what was replaced. `installer` has our patches."""

    def __init__(self, apis: Apis, installer: Installer, *, bypasses: bool) -> None:
        self._apis = apis
        self._installer = installer
        self._bypasses = bypasses
        self._told: set[str] = set()
        self._seen: dict[tuple[Any, str], Any] = {}
        self._put: list[tuple[Any, str, Any, Any]] = []  # owner, name, theirs, ours
        self._lock = threading.Lock()
        self._is_on = True

    def look(self, request_of_client: Any = None) -> None:
        """Name those that are there, once each. `request_of_client`: what stands on a client itself."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            with guarded("look for other tracers of the client"):
                self._look(request_of_client)
        finally:
            self._lock.release()

    def _look(self, request_of_client: Any) -> None:
        if self._is_on:
            one = known(request_of_client)
            if one is not None:
                self._tell_of(one, ONE_CLIENT)
            for owner, base in _clients():
                self._look_at_request(owner, base)
            for owner in _imported(RESOURCES):
                for name, theirs in list(vars(owner).items()):
                    self._look_at_method(owner, name, theirs)
            for owner in _imported(OF_MODELS):
                beside = known(vars(owner).get("create"))
                if beside is not None:
                    self._tell_of(beside)

    def remove(self) -> None:
        # A look takes microseconds; a forked child may have none to wait for.
        is_locked = self._lock.acquire(timeout=1)
        self._is_on = False
        for owner, name, theirs, ours in reversed(self._put):
            if vars(owner).get(name) is ours:
                setattr(owner, name, theirs)
        self._put.clear()
        if is_locked:
            self._lock.release()

    # ------------------------------------------------------------ what is done

    def _look_at_request(self, owner: Any, base: Any) -> None:
        theirs = vars(owner).get("request")
        if theirs is None or any(theirs is ours for _, _, _, ours in self._put):
            return
        listening = self._installer.ours(base, "request")
        layers = list(_layers(theirs))
        there = list(dict.fromkeys(filter(None, map(known, layers))))
        for one in there:
            self._tell_of(one)
        if there and self._bypasses:
            past = _past(theirs, base, self._is_of_runs, lambda: self._is_on)
            self._replace(owner, "request", theirs, past)
        elif there and _leads_past(listening, layers):
            self._replace(owner, "request", theirs, self._installer.around(theirs, base))
        elif not there and _leads_past(listening, layers):
            self._tell(owner.__name__, logging.WARNING, BLIND, _module(theirs))

    def _look_at_method(self, owner: Any, name: str, theirs: Any) -> None:
        if self._seen.get((owner, name)) is theirs:
            return
        self._seen[owner, name] = theirs
        one = known(theirs)
        if one is None:
            return
        self._tell_of(one)
        if self._bypasses:
            inner = next((layer for layer in _layers(theirs) if known(layer) is None), None)
            if inner is not None:
                self._replace(owner, name, theirs, _past_method(theirs, inner))

    def _replace(self, owner: Any, name: str, theirs: Any, ours: Any) -> None:
        setattr(owner, name, ours)
        self._put.append((owner, name, theirs, ours))

    def _is_of_runs(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        with guarded("look at a call"):
            options = args[1] if len(args) > 1 else kwargs["options"]
            found = self._apis.of_call(options.method, options.url, partial(field, options))
            return found is not None and not (found[1].route.is_apart or found[1].route.only_answers)
        return False

    def _tell_of(self, one: Neighbour, bypassed: str = PASSED) -> None:
        twice = bypassed if self._bypasses else TWICE
        text = twice if one.traces_runs else BESIDE
        if text is ONE_CLIENT:
            self._tell(one.name, logging.WARNING, text)
        else:
            records = (one.records,) if text is TWICE else ()
            beside = self._apis.beside_others if one.client == OPENAI else ""
            self._tell(one.name, logging.INFO, text, one.client, *records, beside)

    def _tell(self, name: str, level: int, text: str, *more: object) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.log(level, text, name, *more)


# ---------------------------------------------------------------- whose a wrapper is


def known(wrapper: Any) -> Neighbour | None:
    """Whose the outermost layer is; None: nobody's that we know."""
    if wrapper is None or isinstance(wrapper, str | property):
        return None
    module = _module(wrapper)
    return next((one for prefix, one in KNOWN.items() if module.startswith(prefix)), None)


def _module(wrapper: Any) -> str:
    """Where its code is defined. `functools.wraps` copies `__module__`, and wrapt shows that of what it wraps."""
    inner = _compat.wrapper_in(wrapper)
    inner = getattr(inner, "__func__", inner)
    names = getattr(inner, "__globals__", None)
    return str(names.get("__name__")) if isinstance(names, dict) else type(inner).__module__


def _layers(wrapper: Any) -> Iterator[Any]:
    """The wrapper and what it stands around, from the outside in."""
    for _ in range(MAX_LAYERS):
        yield wrapper
        inner = getattr(wrapper, "__wrapped__", None)
        if inner is None:
            return
        wrapper = inner


def _leads_past(listening: Any, layers: list[Any]) -> bool:
    """To what was there before our patch, and not through it."""
    inner = getattr(listening, "__wrapped__", None)
    # Taken from the class, our patch is a bound wrapper, new each time.
    found = [_compat.parent_of(layer) or layer for layer in layers]
    is_there = [any(layer is one for layer in (*found, *layers)) for one in (inner, listening)]
    return inner is not None and is_there == [True, False]


def _past(theirs: Any, base: Any, is_of_runs: Callable[..., bool], is_on: Callable[[], bool]) -> Any:
    """Around their `OpenAI.request`: calls about runs go to the base class, where we listen."""
    import wrapt

    def past(wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not is_of_runs(args, kwargs):
            return wrapped(*args, **kwargs)
        return vars(base)["request"].__get__(client, type(client))(*args, **kwargs)

    return wrapt.FunctionWrapper(theirs, past, enabled=is_on)


def _past_method(theirs: Any, inner: Any) -> Any:
    """Calls `inner`, below their wrapper. A tracer that is turned off takes this for its wrapper and removes it: it stays off."""
    if type(theirs) is not FunctionType:  # a wrapper of wrapt, which says that it were one
        import wrapt

        # Never called: its frame would be where a deprecated method warns.
        return wrapt.FunctionWrapper(
            inner, lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs), enabled=False
        )

    def past(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    async def apast(*args: Any, **kwargs: Any) -> Any:
        return await inner(*args, **kwargs)

    ours = apast if inspect.iscoroutinefunction(inner) else past
    return functools.wraps(theirs)(ours)  # with the marks by which its maker knows it


# ---------------------------------------------------------------- where to look: in what the app has imported


def _clients() -> Iterator[tuple[Any, Any]]:
    openai = sys.modules.get("openai")
    yield from () if openai is None else _compat.request_owners(openai)


def _imported(classes: Mapping[str, tuple[str, ...]]) -> Iterator[Any]:
    for module, names in classes.items():
        found = vars(sys.modules[module]) if module in sys.modules else {}
        yield from (found[name] for name in names if isinstance(found.get(name), type))
