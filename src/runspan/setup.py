"""`instrument()` and what takes it back: the one handle that is on in this process."""

from __future__ import annotations

import functools
import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, cast

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from . import guard
from .config import (
    Backend,
    Calls,
    Config,
    Content,
    Limits,
    Prices,
    Redact,
    Responses,
    resolve,
    unknown_variables,
)
from .handle import Handle as Handle

logger = logging.getLogger("runspan")

P = ParamSpec("P")

_lock = threading.RLock()  # a signal handler or finalizer may come in between
_handle: Handle | None = None
_forks: weakref.WeakSet[Handle] = weakref.WeakSet()


def _as_given(face: Callable[P, Handle]) -> Callable[P, Handle]:
    """`face` with its types and docstring; `_start` gets the options that the caller wrote, the names of 0.1.0 among them.

    A default that the caller did not write must not beat a variable.
    """

    @functools.wraps(face)
    def instrument(**options: Any) -> Handle:
        return _start(options)

    return cast("Callable[P, Handle]", instrument)


@_as_given
def instrument(
    *,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    service_name: str | None = None,
    backend: Backend | None = None,
    file: str | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    calls: Calls = "auto",
    responses: Responses = "background",
    capture_content: Content = True,
    redact: Redact | None = None,
    background_fetch: bool = True,
    propagate_in_metadata: bool = False,
    bypass_other_instrumentations: bool = False,
    prices: Prices | None = None,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
    enabled: bool = True,
    set_global: bool = False,
) -> Handle:
    """Trace the runs of every `openai` client in this process, from now on.

    Call it once, where the app starts. Clients that exist already are traced, too. An option beats its `RUNSPAN_*` variable,
    which beats the default. A second call changes nothing and returns the handle of the first call.

    Args:
        endpoint: OTLP/HTTP base URL for runspan's own provider. Beats `OTEL_EXPORTER_OTLP_ENDPOINT`.
        headers: OTLP headers for runspan's own provider. They beat `OTEL_EXPORTER_OTLP_HEADERS`.
        service_name: `service.name` for runspan's own provider. Beats `OTEL_SERVICE_NAME`.
        backend: Name of the backend to send to. Its address, keys and extra attributes come from the backend's own variables.
        file: Write OTLP JSON lines to this file, in place of the default address, or beside an address that is given.
        tracer_provider: OpenTelemetry TracerProvider to use in place of the global one or runspan's own.
        meter_provider: OpenTelemetry MeterProvider to use in place of the global one or runspan's own.
        calls: Which calls around runs get a span: `auto` (writes under a recording span, and failed writes), `all` (reads, too),
            or `none`.
        responses: Which Responses are traced: `background` (those with `background=True`), `all`, or `none`.
        capture_content: Record instructions, messages, tool arguments and results, metadata and error texts. `events` puts them on
            log records (`gen_ai.client.inference.operation.details`) of the app's LoggerProvider, `spans_and_events` on both.
        redact: `redact(kind, text) -> text` is called for each text before it is exported.
        background_fetch: Fetch in the background what the app did not read of a run that has ended.
        propagate_in_metadata: Add one key to the metadata of new runs, so that the process whose app sees the end exports the run.
        bypass_other_instrumentations: Bypass other OpenAI instrumentations for the calls that runspan traces, so that a backend
            does not count the tokens twice. By default they record what they record without runspan.
        prices: Prices in USD per million tokens, by model, in place of those of `runspan[cost]`:
            `{'gpt-4o': {'input': 2.5, 'output': 10, 'cached': 1.25}, 'my-deployment': 'gpt-4o'}`. `False` turns costs off.
            The variable takes JSON.
        limits: How much runspan keeps, sends and waits for: a `runspan.Limits`.
        enabled: `False` turns runspan off. `OTEL_SDK_DISABLED=true` does the same.
        set_global: Make runspan's own providers the global ones.

    Returns:
        The handle of this instrumentation, with `stats()` and `config`.

    Raises:
        ConfigError: An option or a variable is wrong. The message names the correct values. Nothing is patched then.
    """
    raise NotImplementedError  # `_start` does it


def start_from_outside(options: Mapping[str, Any]) -> Handle:
    """`instrument()` for an app that knows nothing of it: by `runspan run` or opentelemetry-instrument.

    Where the app calls `instrument()` itself, its options hold (content off, say), but for those that are given here.
    """
    handle = _start(options)
    handle.from_outside = dict(options)
    return handle


def _start(options: Mapping[str, Any]) -> Handle:
    with _lock:
        handle = _handle
    if handle is not None:
        return _start_again(handle, options)
    config = resolve(options, os.environ)
    if config.enabled:
        _warn_of_typos()
    return start_with(config)


def _start_again(on: Handle, options: Mapping[str, Any]) -> Handle:
    """What is on stays, unless it stands in for the app's own call."""
    config = resolve({**options, **(on.from_outside or {})}, os.environ) if options else on.config
    if config == on.config:
        return on
    if on.from_outside is None:
        logger.warning(
            "runspan: an earlier instrument() turned runspan on, so the options of this call are ignored: %s. Set them there, or "
            "call runspan.uninstrument() first.",
            ", ".join(sorted(options)),
        )
        return on
    on.uninstrument()
    handle = start_with(config)
    if on.is_launched and config.enabled:
        handle.end_with_launcher()
    return handle


def _warn_of_typos() -> None:
    """A misspelled RUNSPAN_CAPTURE_CONTENT=false lets texts out. Names that are like none of ours may be the app's own."""
    for name, meant in unknown_variables(os.environ).items():
        if meant:
            text = "runspan: %s is not a variable of runspan and has no effect. Did you mean %s?"
            logger.warning(text, name, " or ".join(meant))


def start_with(config: Config) -> Handle:
    """`instrument()` with settings that are read already. It says nothing about variables."""
    with _lock:
        handle = Handle(config, _forget)
        if not config.enabled:
            return handle
        kept = _keep(handle)
        if kept is not handle:
            return kept
    logger.info(
        "runspan: traces go to %s; metrics %s, content %s, background fetch %s",
        handle._providers.describe(),
        handle._meters.describe(),
        "on" if config.capture_content else "off",
        "on" if config.background_fetch else "off",
    )
    return handle


def _keep(handle: Handle) -> Handle:
    """The one that is on from now on: another, where the making of this one was interrupted by another `instrument()`."""
    global _handle
    if _handle is None:
        _handle = handle
        try:
            handle._install()
        except BaseException:
            _handle = None
            raise
        _forks.add(handle)
    return _handle


def _forget(handle: Handle) -> None:
    global _handle
    with _lock:
        if _handle is handle:
            _handle = None


def current_handle() -> Handle | None:
    """Return the handle of the active `instrument()`, or None without one."""
    return _handle


def uninstrument() -> bool:
    """Restore the client and export everything. Runs that have not ended are exported as unfinished.

    It waits at most `Limits.exit_timeout_s` (5 s). In a coroutine it returns at once, and the export goes on in the background.

    Returns:
        True if everything was exported.
    """
    handle = _handle
    return handle.uninstrument() if handle is not None else True


def shutdown(timeout: float = 5.0) -> bool:
    """Export everything and uninstrument. Runs that have not ended are exported as unfinished.

    In a coroutine it returns at once; call `await runspan.aflush()` first.

    Args:
        timeout: Seconds to wait for the export.

    Returns:
        True if everything was exported within `timeout`.
    """
    handle = _handle
    return handle.uninstrument(timeout) if handle is not None else True


def flush(timeout: float = 5.0) -> bool:
    """Export every run and span that has ended.

    In a coroutine it returns at once, because it must not block the event loop; `await runspan.aflush()` waits there.

    Args:
        timeout: Seconds to wait.

    Returns:
        True if everything was exported within `timeout`. After False, the rest is exported later.
    """
    handle = _handle
    return handle.flush(timeout) if handle is not None else True


async def aflush(timeout: float = 5.0) -> bool:
    """Export every run and span that has ended, without blocking the event loop (asyncio, also with uvloop).

    Under trio it blocks as `flush()` does.

    Args:
        timeout: Seconds to wait.

    Returns:
        True if everything was exported within `timeout`. After False, the rest is exported later.
    """
    handle = _handle
    return await handle.aflush(timeout) if handle is not None else True


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()
    for handle in list(_forks):
        with guard.guarded("start anew in a forked child"):
            handle._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
