"""Finished spans on their way out: in batches of whole runs, each delivered before the next is made, and noted as done."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..config import ConfigError
from ..exporting.file import FileExporter, absolute, check
from ..exporting.loss_reporting import refuses
from .reports import BusyError

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

BATCH_SPANS = 512
LINE_SPANS = 64  # of a file; a longer line would have to be cut, and encoded anew
TRIES = 5
LONGEST_PAUSE_S = 16.0
_PAUSES_S = tuple(min(2.0**n, LONGEST_PAUSE_S) for n in range(TRIES - 1))


class NotDeliveredError(Exception):
    """The receiver takes nothing. What it took before is noted: the same import goes on from there."""


class Delivery:
    """`done(keys)` is told what a receiver took. `pause` waits so many seconds between two tries."""

    def __init__(
        self,
        exporter: SpanExporter | None,
        done: Callable[[Iterable[bytes]], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.exporter = exporter
        self._done = done
        self._pause = pause
        self._spans: list[ReadableSpan] = []
        self._runs: dict[bytes, None] = {}
        self.runs = self.spans = self.rejected = 0

    def take(self, key: bytes, spans: list[ReadableSpan]) -> None:
        """The spans of one run or call."""
        self._runs[key] = None
        self._spans += spans

    def step(self) -> None:
        """Deliver a batch, if there is one. Raises NotDeliveredError."""
        if len(self._spans) >= BATCH_SPANS:
            self.flush()

    def holds(self, key: bytes) -> bool:
        """Whether it waits here."""
        return key in self._runs

    def flush(self) -> None:
        """Raises NotDeliveredError."""
        if self._spans and self.exporter is not None:
            self._export(self.exporter, self._spans)
        if self._runs:
            self._done(self._runs)
        self.runs += len(self._runs)
        self.spans += len(self._spans)
        self._runs, self._spans = {}, []

    def _export(self, exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> None:
        for pause_s in (*_PAUSES_S, None):
            if exporter.export(spans) is SpanExportResult.SUCCESS:
                return
            delivered = int(getattr(exporter, "delivered", 0))
            if delivered:  # it works, and does not want the others
                self.rejected += len(spans) - delivered
                return
            if pause_s is None or not _is_worth_a_pause(exporter):
                raise NotDeliveredError(str(getattr(exporter, "cure", "")))
            self._pause(pause_s)


def _is_worth_a_pause(exporter: Any) -> bool:
    """No pause helps where nobody listens, nor against a receiver that said no."""
    sender = getattr(getattr(exporter, "tries", None), "sender", None)
    is_there = sender is None or not refuses(sender.door())
    return is_there and bool(getattr(exporter, "is_worth_another_try", True))


class ArchiveFile(SpanExporter):
    """OTLP JSON lines, appended. A span that is in the file already is not written again, and a line cut by a kill is taken off.

    Raises ConfigError, BusyError.
    """

    is_worth_another_try = False  # on a full disk

    def __init__(self, path: str) -> None:
        check(path)
        self._lock = _Lock(Path(absolute(path)))
        try:
            self._known = _span_ids(self._lock.path)
        except BaseException:
            self._lock.release()
            raise
        self._file = FileExporter(path)
        self.delivered = 0
        self.cure = self._file.cure

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        fresh = [span for span in spans if span.context.span_id not in self._known]
        self.delivered = len(spans) - len(fresh)
        if not fresh:
            return SpanExportResult.SUCCESS
        for at in range(0, len(fresh), LINE_SPANS):
            result = self._file.export(fresh[at : at + LINE_SPANS])
            self.delivered += self._file.delivered
            if result is not SpanExportResult.SUCCESS:
                return result
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.shutdown()
        self._lock.release()


class _Lock:
    """Of one import at a time: what another one writes meanwhile would be written twice. Apps may write. Raises BusyError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_new = not os.path.lexists(path)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._file)
                raise BusyError(f"another import writes to {path}") from None
            except OSError:  # a file system without locks
                pass

    def release(self) -> None:
        with contextlib.suppress(OSError):
            if self._is_new and not os.fstat(self._file).st_size:  # nothing came
                self.path.unlink()
        os.close(self._file)


def _span_ids(path: Path) -> set[int]:
    """Raises ConfigError for a file that holds something else."""
    found: set[int] = set()
    if not path.is_file():  # but a pipe
        return found
    whole = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                found.update(_ids_in(json.loads(line)) if line.strip() else ())
            except (ValueError, TypeError, KeyError, AttributeError):
                raise ConfigError(
                    f"{path}, line {number}, is no OTLP JSON: name a file of traces, or a new one."
                ) from None
            whole += len(line)
    if whole < path.stat().st_size:
        if not whole:
            raise ConfigError(f"{path} is no file of traces: name another one.")
        os.truncate(path, whole)
    return found


def _ids_in(export: Any) -> Iterator[int]:
    for of_resource in export["resourceSpans"]:
        for of_scope in of_resource.get("scopeSpans", ()):
            for span in of_scope.get("spans", ()):
                yield int(span["spanId"], 16)
