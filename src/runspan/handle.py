"""One `instrument()` as a whole: configuration -> provider -> tracker and worker -> patches; and the ends of all that."""

from __future__ import annotations

import atexit
import logging
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from . import _compat, guard
from .apis import APIS
from .clients.azure_core import install as azure_core
from .clients.azure_core.library import AzureCoreLibrary
from .clients.azure_core.results import AzureCoreResults
from .clients.choke_point import Patch
from .clients.install import Installer
from .clients.library import Library
from .clients.openai.announcements import Announcements
from .clients.openai.helper_calls import Helpers
from .clients.openai.install import OpenAIInstaller
from .clients.openai.library import OpenAILibrary
from .clients.openai.results import OpenAIResults
from .clients.openai.server import ClientSecrets
from .clients.openai.stream_manager import StreamManagerHook
from .clients.other_instrumentations import OtherInstrumentations
from .clients.results import Results
from .clients.starts import Starts
from .config import Config
from .conventions import EXTRAS
from .conventions.backend_attributes import NONE
from .core.redact import Texts
from .exporting import launched, otlp
from .meters import Meters
from .observing.thread_pools import ThreadPoolPatch
from .pricing import pricer
from .providers import Providers
from .runtime import active, clock, loops, waiting
from .runtime.active import Active
from .runtime.call_reader import Reader
from .runtime.call_spans import Agents, CallSpans
from .runtime.emitter import Emitter
from .runtime.endings import Endings, stay_interrupted
from .runtime.fetcher import Fetcher
from .runtime.flushes import Flush
from .runtime.handoffs import Handoffs
from .runtime.lru import Lru
from .runtime.metrics import Metrics
from .runtime.outbox import Flusher, Outbox
from .runtime.records import (
    Answered,
    Call,
    Fetched,
    HandlerError,
    StreamChunk,
    StreamClosed,
    StreamDeltas,
    StreamEvent,
    WorkerTask,
)
from .runtime.registry import RunRegistry
from .runtime.stream_reader import StreamReader
from .runtime.tracker import Tracker
from .runtime.worker import Worker
from .stats import Stats

logger = logging.getLogger("runspan")

REDACTION_FAILED = partial(guard.swallow, "redact a text (it was dropped)")
REFUSED_S = 0.5  # the most that an exit spends on an address that refuses connections


class Handle:
    """The active instrumentation of this process. `runspan.instrument()` returns it; do not create one yourself.

    Attributes:
        config: The settings that are in effect: options, variables and defaults together.
    """

    def __init__(self, config: Config, forget: Callable[[Handle], None] = lambda handle: None) -> None:
        self.config = config
        self._forget = forget
        self._price = pricer(config)
        self._apis = APIS.chosen(lambda option: getattr(config, option))
        self._is_finalized = False
        self.from_outside: Mapping[str, Any] | None = None  # options of `runspan run` and its like
        self.is_launched = False  # by opentelemetry-instrument, whose providers end with the process
        self._waiting_since_s = -math.inf  # where a server's end could not deliver: when it began
        self._endings = Endings(self._deliver, self._arrive, self._set_out)
        self._page: str | None = None  # where a trace is shown
        self._providers = Providers(config, lambda: self._worker.wake())
        self._meters = Meters(config, self._at_exit)
        self._installer = OpenAIInstaller()
        self._azure_installer = Installer(azure_core.LIBRARY, azure_core.TARGETS)
        self._build()
        self._pools = ThreadPoolPatch()
        self._neighbours = OtherInstrumentations(
            self._apis, self._installer, bypasses=config.bypass_other_instrumentations
        )

    def _build(self) -> None:
        """The moving parts, new: at start and in a forked child, which forgets its parent's runs."""
        config, limits = self.config, self.config.limits
        self._metrics = Metrics(self._meters.current, self._dropped)
        extra = EXTRAS.get(config.backend or "", NONE)
        emitter = Emitter(
            self._providers.current,
            limits.max_attribute_chars,
            extra,
            limits.max_span_chars,
            self._metrics,
        )
        flusher = Flusher(self._providers.flush, self._meters.flush)
        self._outbox = outbox = Outbox(emitter, flusher)
        self._fetcher = Fetcher(lambda fetched: self._worker.put(fetched))
        texts = Texts(config.capture_content, config.redact, limits.max_text_chars, REDACTION_FAILED)
        agents: Agents = Lru(5_000)
        registry = RunRegistry()
        self._tracker = tracker = Tracker(config, texts, agents, outbox, self._fetcher, registry, self._price)
        counted = tracker.counts, tracker.dropped
        calls = CallSpans(config.calls, texts, agents, outbox, *counted, registry.conversation_of)
        self._custody = handoffs = Handoffs(
            tracker, emitter, calls, lambda record: self._worker.put(record), self._apis, extra
        )
        self._reader = reader = Reader(tracker, calls, emitter, handoffs)
        streams = StreamReader(tracker, calls, texts, reader.meet)
        handlers: Mapping[type, Callable[[Any], None]] = {
            Answered: reader.answered,
            Call: reader.call,
            Fetched: reader.fetched,
            StreamEvent: streams.event,
            StreamDeltas: streams.deltas,
            StreamChunk: streams.chunk,
            StreamClosed: streams.closed,
            HandlerError: streams.handler_error,
        }
        self._worker = Worker(tracker, handlers, outbox, flusher, self._start)

        def patch(library: Library, results: type[Results]) -> Patch:
            starts = Starts(
                *(library, config, emitter, registry, handoffs),
                # A redactor is the owner's code: it runs on the worker, so a run's span begins without its name.
                agents.peek if config.redact is None else lambda _: None,
                lambda on_client: self._worker.put(
                    WorkerTask(lambda: self._neighbours.look(on_client), can_be_spared=True)
                ),
                lambda record: self._worker.put(record),
            )
            put, counted = self._worker.put, (tracker.count_unrecorded, tracker.lose)
            return Patch(library, starts, results(library, put, registry, handoffs, *counted))

        self._azure_patch = azure = patch(AzureCoreLibrary(self._apis, texts.secrets), AzureCoreResults)
        self._azure_installer.wrappers = {"request": azure.request, "arequest": azure.arequest}
        self._patch = official = patch(OpenAILibrary(self._apis, ClientSecrets(texts.secrets)), OpenAIResults)
        exits = StreamManagerHook(self._worker.put)
        helpers = Helpers(emitter, self._worker.put, texts.secrets, config.calls, self._apis)
        self._installer.wrappers = {
            "request": official.request,
            "arequest": official.arequest,
            "exit": exits.exit,
            "aexit": exits.exit,
            "helper": helpers.helper,
            "ahelper": helpers.ahelper,
            "unwrap": Announcements(self._apis, registry).unwrap,
        }
        provider = self._providers.current
        self._active = Active(config, texts, provider, registry, handoffs, extra, self._page)

    # ------------------------------------------------------------ the owner's side

    def stats(self) -> Stats:
        """Return what happened to runs and spans since `instrument()`. It works on any thread, at any time."""
        counts, tracker = self._tracker.counts, self._tracker
        return Stats(
            started=counts.started,
            live=tracker.live,
            emitted=counts.emitted,
            unfinished=counts.unfinished,
            unrecorded=counts.unrecorded,
            handed_off=counts.handed_off,
            dropped=self._dropped(),
            fetches=dict(self._fetcher.counts),
            missing=dict(counts.missing),
            errors=guard.swallowed(),
            degraded=_compat.degraded(),
        )

    def _dropped(self) -> dict[str, int]:
        """By cause; asked on any thread."""
        dropped = {**self._tracker.dropped, **self._outbox.dropped, **self._worker.dropped}
        return {**dropped, **self._providers.lost_spans()}

    def flush(self, timeout: float = 5.0) -> bool:
        """Do what `runspan.flush()` does, for this handle."""
        return not self.config.enabled or self._worker.flush(timeout)

    async def aflush(self, timeout: float = 5.0) -> bool:
        """Do what `runspan.aflush()` does, for this handle."""
        return not self.config.enabled or await waiting.await_(self._worker.begin, timeout)

    def uninstrument(self, timeout: float | None = None) -> bool:
        """Restore the client and export everything. Runs that have not ended are exported as unfinished.

        Args:
            timeout: Seconds to wait. None: `Limits.exit_timeout_s`. In a coroutine it returns at once.

        Returns:
            True if everything was exported.
        """
        self._forget(self)
        if not self.config.enabled:
            return True
        self._take_off()
        timeout_s = self.config.limits.exit_timeout_s if timeout is None else timeout
        if loops.running() is None or not self._is_used():
            ok = self._close(timeout_s)
            self._stop()
            return ok

        def then(ok: bool) -> None:
            atexit.unregister(self._exit_hook)  # not before: where nobody waits for the end, the exit does
            if not ok:
                self._providers.give_up()
            self._closed()
            self._stop()

        return waiting.wait(self._worker.begin, timeout_s, closing=True, then=then)

    def end_with_launcher(self) -> None:
        """Deliver before the providers of `opentelemetry-instrument` end with the process."""
        self.is_launched = True
        self._at_exit()

    # ------------------------------------------------------------ beginnings and ends

    def _install(self) -> None:
        """All or nothing. First what may fail, which is only made; then what others see; last what can't be taken back."""
        with ExitStack() as undo:
            undo.callback(self._providers.close)
            self._providers.open()
            undo.callback(self._meters.close)
            self._meters.open()
            self._page = self._active.page = otlp.page(self.config, self._providers.has_app_provider())
            # Not a part of `_take_off`: it stays on until all is delivered.
            undo.callback(self._endings.remove)
            undo.callback(atexit.unregister, self._exit_hook)
            undo.callback(self._take_off)
            self._put_on()
            self._providers.publish()
            self._meters.publish()
            undo.pop_all()

    def _put_on(self) -> None:
        active.now = self._active
        self._endings.install()
        self._at_exit()
        self._installer.install()
        self._azure_installer.install()
        self._neighbours.look()
        self._pools.install()

    def _take_off(self) -> None:
        if active.now is self._active:
            active.now = None
        self._neighbours.remove()
        self._installer.remove()
        self._azure_installer.remove()
        self._pools.remove()

    def _close(self, timeout_s: float | None = None) -> bool:
        """Everything goes out, within the deadline. A call still in flight may start the worker, and the hook, once more."""
        try:
            return self._deliver(timeout_s)
        finally:
            atexit.unregister(self._exit_hook)  # not before: the delivery may put it on
            self._closed()

    def _exit_hook(self) -> None:
        with suppress(SystemExit):  # raised meanwhile; here it would change nothing, and be printed
            self._close()
        stay_interrupted()

    def _deliver(self, timeout_s: float | None = None) -> bool:
        """Everything goes out, within the deadline. False: something was given up. `timeout_s` None: the process ends."""
        if not self._is_used():
            return True
        if timeout_s is None:
            self._worker.put(WorkerTask(self._reader.give_up))
        ok = False
        try:
            with self._exit_time(timeout_s) as left_s:
                ok = waiting.wait_to_the_end(self._worker.begin, left_s)
        finally:
            if not ok:
                self._providers.give_up()
        return ok

    async def _arrive(self) -> None:
        """A server has ended in this process, which may go on: what is over goes out."""
        if self._is_used():
            began_s = clock.monotonic_s()
            with self._exit_time() as left_s:
                if not await waiting.await_(self._worker.begin, left_s):
                    self._waiting_since_s = began_s

    def _set_out(self) -> None:
        """What is over sets out; nobody waits for it."""
        if self._is_used():
            self._worker.begin(Flush.within(self.config.limits.exit_timeout_s, lambda ok: None))

    @contextmanager
    def _exit_time(self, timeout_s: float | None = None) -> Iterator[float]:
        """`timeout_s`, less what a server's end just before has waited for in vain: both are one end."""
        timeout_s = self.config.limits.exit_timeout_s if timeout_s is None else timeout_s
        # A developer without a backend must not wait for what a run lacks.
        if self._providers.is_refused() and not self._meters.may_be_heard():
            timeout_s = min(timeout_s, REFUSED_S)
        spent_s = clock.monotonic_s() - self._waiting_since_s
        with self._providers.ending():
            yield max(0.0, timeout_s - spent_s) if spent_s < 2 * timeout_s else timeout_s

    def _closed(self) -> None:
        self._fetcher.close()
        self._endings.remove()

    def _is_used(self) -> bool:
        return self._worker.restarts >= 0 or self._providers.is_used

    def _stop(self) -> None:
        self._providers.hasten()  # nobody waits any more
        self._meters.hasten()
        self._worker.stop(self._close_providers)

    def _close_providers(self) -> None:
        """Ours; blocks as long as the SDK does."""
        self._metrics.close()
        try:
            self._providers.close()
        finally:
            self._meters.close()

    def _start(self) -> None:
        """A provider has its first span, or the worker its first record: the process may end before that is read."""
        self._at_exit()
        if self.config.background_fetch:
            self._fetcher.prepare()

    def _at_exit(self) -> None:
        """Exit hooks run last-registered first: one that is older than the provider's runs after it, and spans are lost.

        So this is called for each provider that comes into use, and when the worker starts. Once they run, it is too late for that:
        a hook that is registered then is never called.
        """
        if not threading.main_thread().is_alive():
            return
        atexit.unregister(self._exit_hook)
        atexit.register(self._exit_hook)
        if self.is_launched:  # registered after it, so called before it
            atexit.unregister(launched.end_refused)
            atexit.register(launched.end_refused)
        self._endings.look_around()
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            self._finalize_in_child()

    def _after_fork(self) -> None:
        """A forked child: its parent emits the parent's runs, and ends the spans that were open."""
        self._providers.after_fork()
        self._meters.after_fork()
        was_active = active.now is self._active
        self._is_finalized = False
        self._active.is_forgotten = True
        self._build()
        if was_active:
            active.now = self._active
        # Children of multiprocessing leave without atexit. Registered anew once they have cleared their own finalizers, which
        # billiard's children share, but may import in the child alone.
        if "multiprocessing.util" in sys.modules or "billiard" in sys.modules:
            from multiprocessing import util

            util.register_after_fork(self, Handle._finalize_in_child)

    def _finalize_in_child(self) -> None:
        """Children of multiprocessing and billiard, but for spawned ones, leave without atexit."""
        if not self._is_finalized:
            import multiprocessing.util

            self._is_finalized = True
            multiprocessing.util.Finalize(None, self._close, exitpriority=100)
