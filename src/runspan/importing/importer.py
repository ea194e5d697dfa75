"""One import: archives are read into a stage, then played run by run, and their spans delivered batch by batch."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace as with_fields
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from ..apis.archives import Kind, Remark, Unreadable
from ..config import Backend, Config, Limits, Prices, Redact, resolve
from ..conventions import EXTRAS
from ..conventions.backend_attributes import NONE
from ..core.model import RunFacts, SpanData
from ..core.redact import Texts
from ..core.timing import SECOND_NS
from ..exporting import otlp, own, variables
from ..exporting.address import destination
from ..guard import logger
from ..pricing import pricer
from ..runtime.emitter import Emitter
from . import sources as files
from .delivery import ArchiveFile, Delivery
from .documents import Fault as Broken
from .exchanges import Traffic, objects_of, seed_of
from .past_spans import PastSpans
from .player import Player
from .recognise import ARCHIVES, Found, Item, Recorded, recognised
from .reports import Fault, Report
from .runs import StagedRuns
from .sources import Source
from .stage import Stage

SERVICE = "imported"
_OF_SDK = "telemetry.sdk."
MAX_LIVE_RUNS = 1_000  # of recorded traffic, that are open at once
COMMIT_ROWS = 5_000
RECORDED = "recorded calls"
NAMES: Mapping[Kind, str] = {
    Kind.AGENT: "agents",
    Kind.CONVERSATION: "conversations",
    Kind.MESSAGE: "messages",
    Kind.RUN: "runs",
    Kind.STEP: "steps",
    Kind.INPUTS: "lists of input",
}
DIRECT = Source("<objects>", "object", 0, 0)  # what `add` was given

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
        given = {
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
        config = resolve({k: v for k, v in given.items() if v is not None}, os.environ)
        limits = with_fields(config.limits, max_live_runs=MAX_LIVE_RUNS)
        self._config = with_fields(config, limits=limits, background_fetch=False, content_events=False)
        self._report = Report()
        self._on_fault, self._on_progress = on_fault, on_progress
        self._since_ns = None if since is None else int(since * SECOND_NS)
        self._threads = frozenset(threads)
        self._exits = ExitStack()
        self._is_done = False
        self._made = 0
        self._added = Counter[str]()  # by `add`
        self._exporter = exporter if exporter is not None or dry_run else self._chosen(file)
        if state is None:
            folder = self._exits.enter_context(tempfile.TemporaryDirectory(prefix="runspan-import-"))
            state = Path(folder, "stage.db")
        self._stage = Stage(state)
        self._delivery = Delivery(None if dry_run else self._exporter, self._stage.done)
        self._build(provider)

    def _chosen(self, file: str | None) -> SpanExporter:
        return ArchiveFile(file) if file is not None else otlp.exporter(self._config)[1]()

    def _build(self, provider: str) -> None:
        config, limits = self._config, self._config.limits
        extra = EXTRAS.get(config.backend or "", NONE)
        texts = Texts(config.capture_content, config.redact, limits.max_text_chars, _redaction_failed)

        def emitter(current: Callable[[], TracerProvider]) -> Emitter:
            return Emitter(current, limits.max_attribute_chars, extra, limits.max_span_chars)

        self._spans = PastSpans(self._provider, emitter, self._is_wanted, self._take)
        self._player = Player(config, texts, pricer(config), self._spans, self._spans.emitter, provider)
        self._traffic = Traffic(self._player)
        self._runs = StagedRuns(self._stage, self._player, self._spans, self._left_out, self._delivery.step)

    def _provider(self, ids: IdGenerator) -> TracerProvider:
        return TracerProvider(
            sampler=ALWAYS_ON,
            resource=_resource(self._config),
            span_limits=own.limits(),
            id_generator=ids,
            shutdown_on_exit=False,
        )

    # ------------------------------------------------------------ in

    def read(self, *paths: Path | str) -> None:
        """Files, or folders with all below them but hidden files. What can't be read is told to `on_fault`. Raises OSError.

        Where `state=` holds another set of files, or other versions of them, it is begun anew.
        """
        wanted = list(files.sources(map(Path, paths)))
        if not self._stage.knows_only([*wanted, DIRECT]):
            self._renew()
        for source in wanted:
            if not self._stage.is_read(source):
                self._scan(source)

    def add(self, obj: Any) -> None:
        """One object of an API, or a list of them: as a dict, or as the client gives it. Raises TypeError for anything else."""
        number = self._stage.begin_again(DIRECT)
        for item in recognised(_plain(obj)):
            self._put(item, number, 0, self._added)

    def finish(self) -> Report:
        """Play and deliver everything.

        Raises:
            NotDeliveredError: The receiver takes nothing more. With `state=` the same import goes on from there.
        """
        for file, line, reason, is_remark in self._stage.faults():
            self._report.add(Fault(file, line, reason, is_remark))
        self._report.skipped = self._stage.count_done()
        self._report.found = dict(sorted((Counter(self._stage.counts()) + self._added).items()))
        self._play_recorded()
        for api, place in self._stage.places():
            if not self._threads or place in self._threads:
                self._runs.play(ARCHIVES[api], place)
                self._on_progress(self._made)
        self._delivery.flush()
        self._is_done = True
        report, delivery = self._report, self._delivery
        report.runs, report.spans, report.rejected = delivery.runs, delivery.spans, delivery.rejected
        return report

    def close(self) -> None:
        """Let files and connections go. What was not finished stays in `state=`."""
        self._stage.close(is_done=self._is_done)
        if self._exporter is not None:
            self._exporter.shutdown()
        self._exits.close()

    def __enter__(self) -> Importer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ reading

    def _renew(self) -> None:
        path = self._stage.path
        self._stage.close(is_done=True)
        self._stage = Stage(path)
        self._delivery = Delivery(self._delivery.exporter, self._stage.done)
        self._runs = StagedRuns(self._stage, self._player, self._spans, self._left_out, self._delivery.step)

    def _scan(self, source: Source) -> None:
        number, counts, rows = self._stage.begin(source), Counter[str](), 0
        for value in files.read(source):
            if isinstance(value, Broken):
                self._fault(source.name, number, value.line, value.reason)
                continue
            for item in recognised(value.value):
                self._put(item, number, value.line, counts, source.name)
                rows += 1
                if rows % COMMIT_ROWS == 0:
                    self._stage.commit()
        self._stage.end(number, counts.items(), is_recorded=counts[RECORDED] > 0)

    def _put(self, item: Item, source: int, line: int, counts: Counter[str], name: str = DIRECT.name) -> None:
        if isinstance(item, Unreadable):
            self._fault(name, source, line, item.reason)
        elif isinstance(item, Remark):
            if item.text:
                self._fault(name, source, line, item.text, is_remark=True)
        elif isinstance(item, Recorded):
            counts[RECORDED] += 1
            self._put_answer(item, source, line)
        else:
            if item.object.kind in NAMES:
                counts[NAMES[item.object.kind]] += 1
            if not self._threads or not item.object.place or item.object.place in self._threads:
                self._stage.put(item.api, item.object, source, line)

    def _put_answer(self, item: Recorded, source: int, line: int) -> None:
        """Objects of runs whose beginning was not recorded; what else an answer is does not matter."""
        body = objects_of(item.wire)
        for found in recognised(body) if body is not None else ():
            if isinstance(found, Found) and not (self._threads and found.object.place not in self._threads):
                self._stage.put(found.api, found.object, source, line)

    def _fault(self, name: str, source: int, line: int, reason: str, *, is_remark: bool = False) -> None:
        self._stage.fault(source, line, reason, is_remark=is_remark)
        self._on_fault(Fault(name, line, reason, is_remark))

    def _left_out(self, fault: Fault) -> None:
        self._report.add(fault)
        self._on_fault(fault)

    # ------------------------------------------------------------ playing

    def _play_recorded(self) -> None:
        """Recordings are one stream of calls: they are read again, as they were recorded."""
        seeds: Counter[str] = Counter()
        for path in self._stage.recorded():
            for value in files.read(Source(path, path, 0, 0)):
                for item in recognised(value.value) if not isinstance(value, Broken) else ():
                    if isinstance(item, Recorded):
                        seed = seed_of(item.wire, 0)
                        self._spans.seed = seed_of(item.wire, seeds[seed])
                        seeds[seed] += 1
                        self._traffic.play(item.wire)
                        self._delivery.step()
                        self._on_progress(self._made)
        self._player.finish()
        self._delivery.flush()

    def _is_wanted(self, key: bytes, data: SpanData) -> bool:
        facts = data.facts
        conversation_id = (
            facts.run.conversation_id if isinstance(facts, RunFacts) and facts.run else None
        ) or getattr(facts, "conversation_id", None)
        if data.start_ns <= 0 or self._stage.is_done(key) or self._delivery.holds(key):
            return False
        if self._threads and conversation_id not in self._threads:
            self._report.skipped += 1
            return False
        if self._since_ns is not None and data.start_ns < self._since_ns:
            self._report.skipped += 1
            return False
        return not self._is_known_better(facts)

    def _is_known_better(self, facts: Any) -> bool:
        """A run whose end was not recorded, and that stands in an export with its end."""
        run = facts.run if isinstance(facts, RunFacts) and facts.unfinished else None
        return run is not None and self._stage.has_final(facts.api or "", run.conversation_id, run.id)

    def _take(self, key: bytes, spans: list[Any]) -> None:
        self._made += 1
        self._delivery.take(key, spans)


def _resource(config: Config) -> Resource:
    """What is named, and nothing of this process: its instance and number would make each import another one."""
    named = {
        **variables.read("OTEL_RESOURCE_ATTRIBUTES", variables.attributes, variables.NOTHING),
        **destination(config).resource,
        **own.service(config),
    }
    found = own.resource({SERVICE_NAME: SERVICE, **_service_of_variable(), **named})
    kept = {
        k: v for k, v in found.attributes.items() if k in named or k.startswith(_OF_SDK) or k == SERVICE_NAME
    }
    return Resource(kept, found.schema_url)


def _service_of_variable() -> Mapping[str, str]:
    name = os.environ.get("OTEL_SERVICE_NAME", "").strip()
    return {SERVICE_NAME: name} if name else {}


def _plain(obj: Any) -> Any:
    """Models of a client as dicts; a page of a list as all that the list holds, which may ask for further pages."""
    if isinstance(obj, dict):
        return obj
    if not hasattr(obj, "get_next_page"):
        for name in ("model_dump", "as_dict"):  # pydantic's; azure's
            dump = getattr(obj, name, None)
            if callable(dump):
                return dump(mode="json", by_alias=True, warnings=False) if name == "model_dump" else dump()
    if isinstance(obj, Iterable) and not isinstance(obj, str | bytes) and not hasattr(obj, "__aiter__"):
        return [_plain(one) for one in obj]
    raise TypeError(f"add() takes objects of an API and lists of them, no {type(obj).__name__}")


def _redaction_failed(error: Exception) -> None:
    logger.warning("runspan: redact= raised %s; the text is left out.", type(error).__name__)
