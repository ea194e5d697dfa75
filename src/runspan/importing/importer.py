"""One import: archives are read into a stage, then played run by run, and their spans delivered batch by batch."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter

from ..config import Backend, Config, Limits, Prices, Redact
from ..conventions import EXTRAS
from ..conventions.backend_attributes import NONE
from ..core.model import RunFacts, SpanData
from ..core.redact import Texts
from ..core.timing import SECOND_NS
from ..exporting.file import absolute
from ..guard import logger
from ..pricing import pricer
from ..runtime.emitter import Emitter
from . import settings
from .delivery import Delivery
from .documents import Value
from .exchanges import Traffic, is_failed, seed_of
from .past_spans import PastSpans
from .player import Player
from .recognise import ARCHIVES, Recorded, recognised
from .reports import Fault, Report
from .runs import NO_TIME, StagedRuns, attempted
from .scanning import Scanner
from .sources import Pipes, Source, read
from .stage import Stage

OnFault = Callable[[Fault], None]
OnProgress = Callable[[int], None]


class Importer:
    """Traces of past runs: `read` archives, or `add` objects; then `finish`.

    Where to: `exporter=` (any SpanExporter), `file=` (OTLP JSON lines, appended), or OTLP as for an app (`endpoint=`, `backend=`
    or the `OTEL_*` variables). What an app's own options mean, they mean here. Importing a run again gives spans with the same ids.

    Args:
        since: Unix seconds. Runs that were created before are left out, and still count as history of later ones.
        threads: Ids of conversations. Runs of others are left out.
        provider: `gen_ai.provider.name` of the runs, which prices depend on: `openai`, `azure.ai.openai`.
        state: A file that keeps what was read and delivered, until the import is done: a second start goes on with it. Without it
            a temporary file is used. It holds the texts of the archive, readable by you alone.
        dry_run: Count what would be delivered, and deliver nothing.
        on_fault: Is told what can't be read as it is found.
        on_progress: Is given the number of runs so far.

    Raises:
        ConfigError: An option or a variable is wrong.
    """

    def __init__(
        self,
        *,
        exporter: SpanExporter | None = None,
        file: str | None = None,
        endpoint: str | None = None,
        headers: Mapping[str, str] | None = None,
        backend: Backend | None = None,
        service_name: str | None = None,
        capture_content: bool | None = None,
        redact: Redact | None = None,
        prices: Prices | None = None,
        limits: Limits | None = None,
        since: float | None = None,
        threads: Iterable[str] = (),
        provider: str = "openai",
        state: Path | None = None,
        dry_run: bool = False,
        on_fault: OnFault = lambda fault: None,
        on_progress: OnProgress = lambda runs: None,
    ) -> None:
        options: dict[str, Any] = {
            "file": file,
            "endpoint": endpoint,
            "headers": headers,
            "backend": backend,
            "service_name": service_name,
            "capture_content": capture_content,
            "redact": redact,
            "prices": prices,
            "limits": limits,
        }
        config = settings.config_of(options)
        self._report = Report()
        self._on_fault, self._on_progress = on_fault, on_progress
        self._since_ns = None if since is None else int(since * SECOND_NS)
        self._threads = frozenset(threads)
        self._is_done = False
        self._made = 0
        self._playing: tuple[str, int] = "", 0  # file and line of a recorded call
        with ExitStack() as opening:  # what is open by then is closed where the next thing fails
            if exporter is None and not dry_run:
                exporter = settings.exporter_of(config, file)
            if exporter is not None:
                opening.callback(exporter.shutdown)
            if state is None:
                state = Path(_folder(opening), "stage.db")
            self._stage = stage = Stage(state)
            opening.callback(lambda: stage.close(is_done=self._is_done))
            self._delivery = Delivery(None if dry_run else exporter, stage.done)
            self._build(config, provider)
            self._exits = opening.pop_all()
        written = frozenset() if file is None else frozenset([os.path.realpath(absolute(file))])
        self._scanner = Scanner(stage, on_fault, written, Pipes(partial(_folder, self._exits)))

    def _build(self, config: Config, provider: str) -> None:
        limits, extra = config.limits, EXTRAS.get(config.backend or "", NONE)
        texts = Texts(config.capture_content, config.redact, limits.max_text_chars, _redaction_failed)

        def emitter(current: Callable[[], TracerProvider]) -> Emitter:
            return Emitter(current, limits.max_attribute_chars, extra, limits.max_span_chars)

        make = partial(settings.provider_of, config)
        self._spans = spans = PastSpans(make, emitter, self._is_wanted, self._take)
        self._player = player = Player(config, texts, pricer(config), spans, spans.emitter, provider)
        self._traffic = Traffic(player)
        self._runs = StagedRuns(self._stage, player, spans, self._left_out, self._delivery.step)

    # ------------------------------------------------------------ the owner's side

    def read(self, *paths: Path | str) -> None:
        """Files, folders with all below them but hidden files, pipes, and `-` for standard input. Raises OSError.

        What can't be read is told to `on_fault`.

        Where `state=` holds another set of files, or other versions of them, it is begun anew.
        """
        with self._told():
            self._scanner.read(paths)

    def add(self, obj: Any) -> None:
        """One object of an API, or a list of them: as a dict, or as the client gives it. Raises TypeError for anything else."""
        with self._told():
            self._scanner.add(obj)

    def finish(self) -> Report:
        """Play and deliver everything.

        Raises:
            NotDeliveredError: The receiver takes nothing more. With `state=` the same import goes on from there.
        """
        with self._told():
            return self._finished()

    def _finished(self) -> Report:
        report, delivery = self._report, self._delivery
        for fault in self._stage.faults():
            report.add(fault)
        report.skipped, report.found = self._stage.count_done(), self._stage.found()
        for path, name in self._stage.recorded():
            self._play_recorded(path, name)
        self._player.finish()
        delivery.flush()
        for api, place in self._stage.places():
            if self._is_of_interest(place):
                self._runs.play(ARCHIVES[api], place)
                self._on_progress(self._made)
            else:
                report.skipped += len(self._stage.run_ids(api, place))
        delivery.flush()
        for place, fault in self._stage.without_run():
            if self._is_of_interest(place):
                self._left_out(fault)
        self._is_done = True
        report.runs, report.spans, report.rejected = delivery.runs, delivery.spans, delivery.rejected
        return report

    def _is_of_interest(self, place: str | None) -> bool:
        return not self._threads or place in self._threads

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite says of the disk, as Python says it."""
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(errno.EIO, str(error), str(self._stage.path)) from error

    def close(self) -> None:
        """Let files and connections go. What was not finished stays in `state=`."""
        self._exits.close()

    def __enter__(self) -> Importer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ playing

    def _play_recorded(self, path: str, name: str) -> None:
        """Recordings are one stream of calls: they are read again, as they were recorded."""
        failed = Counter[str]()  # the same failure may come again in one file, and is another call
        for value in read(Source(path, name)):
            for item in recognised(value.value) if isinstance(value, Value) else ():
                if isinstance(item, Recorded):
                    seed = seed_of(item.wire)
                    self._playing = name, value.line
                    self._spans.seed = f"{seed}{failed[seed] or ''}"
                    failed.update([seed] if is_failed(item.wire) else ())
                    if (why := attempted("play a recorded call", self._traffic.play, item.wire)) is not None:
                        self._left_out(Fault(name, value.line, why))
                    self._delivery.step()
                    self._on_progress(self._made)

    def _is_wanted(self, key: bytes, data: SpanData) -> bool:
        if data.start_ns <= 0:
            self._left_out(Fault(*self._playing, NO_TIME))
            return False
        if self._stage.is_done(key) or self._delivery.holds(key):
            return False
        is_early = self._since_ns is not None and data.start_ns < self._since_ns
        if is_early or not self._is_of_interest(_conversation(data)):
            self._report.skipped += 1
            return False
        return not self._is_known_better(data.facts)

    def _is_known_better(self, facts: Any) -> bool:
        """A run whose end was not recorded, and that stands in an export with its end."""
        run = facts.run if isinstance(facts, RunFacts) and facts.unfinished else None
        return run is not None and self._stage.has_final(facts.api or "", run.conversation_id, run.id)

    def _take(self, key: bytes, spans: list[Any]) -> None:
        self._made += 1
        self._delivery.take(key, spans)

    def _left_out(self, fault: Fault) -> None:
        self._report.add(fault)
        self._on_fault(fault)


def _conversation(data: SpanData) -> str | None:
    """Its id, of a run, a call, or a tool."""
    facts = data.facts
    if isinstance(facts, RunFacts):
        return facts.run.conversation_id if facts.run else None
    return facts.conversation_id


def _folder(exits: ExitStack) -> str:
    """A new one, deleted at the end."""
    return exits.enter_context(tempfile.TemporaryDirectory(prefix="runspan-import-"))


def _redaction_failed(error: Exception) -> None:
    logger.warning("runspan: redact= raised %s; the text is left out.", type(error).__name__)
