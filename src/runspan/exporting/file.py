"""`file=`: OTLP JSON lines, appended. Several processes may write to one file: each line is one `write` at its end.

Whoever rotates the file may move it away: it is made anew at the next batch.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..config import ConfigError
from .batches import batches, count, shrink
from .encoding import encode

# The Collector's otlpjsonfile receiver cuts longer lines apart (`max_log_size`, 1 MiB unless set).
MAX_LINE_BYTES = 1_000_000
_IDS = ("traceId", "spanId", "parentSpanId")
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


def check(path: str) -> None:
    """Raises ConfigError where the file can't be written to. Makes nothing: the first span does."""
    where = absolute(path)
    try:
        if os.path.exists(where):
            os.close(os.open(where, _FLAGS & ~os.O_CREAT | os.O_NONBLOCK))
        elif not os.access(os.path.dirname(where), os.W_OK | os.X_OK):
            os.stat(os.path.dirname(where))  # says why, if it is not there
            raise PermissionError(0, "No permission to make files there")
        elif not os.path.isdir(os.path.dirname(where)):
            raise NotADirectoryError(0, "Not a folder")
        else:
            with contextlib.suppress(FileNotFoundError):
                os.stat(where)  # of a name that is too long
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"file={path!r} can't be written to: {getattr(error, 'strerror', None) or error}. "
            "Name a file in a folder that is there and yours."
        ) from None


def absolute(path: str) -> str:
    """The app may go to another folder."""
    return os.path.abspath(os.path.expanduser(path))


class FileExporter(SpanExporter):
    """What goes wrong is a failed export; `check` says it before.

    Who uses it exports one batch at a time. A lock of its own could be held at a fork, and then for ever in the child.
    """

    cure = "Is the disk full, or the folder gone?"

    def __init__(self, path: str) -> None:
        self.path = absolute(path)
        self.delivered = 0  # spans of the last batch
        self._is_torn = False  # the last line has no end
        self._is_closed = False
        self._file: int | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """FAILURE: all but `delivered` are lost."""
        self.delivered = 0
        try:
            self._follow()
            self._write(encode(spans))
        except OSError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if self.delivered == len(spans) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._is_closed = True
        self._close()

    def _follow(self) -> None:
        """Open it anew where it was moved away or deleted, or could not be opened the last time."""
        if self._is_closed:
            raise OSError("the exporter has ended")
        with contextlib.suppress(FileNotFoundError):
            if self._file is not None and os.path.samestat(os.fstat(self._file), os.stat(self.path)):
                return
        self._close()
        self._file = os.open(self.path, _FLAGS, 0o600)  # what users said is in it

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file, self._is_torn = None, False

    def _write(self, batch: ExportTraceServiceRequest) -> None:
        encoded, spans = line(batch), count(batch)
        if len(encoded) <= MAX_LINE_BYTES:
            self._append(encoded)
            self.delivered += spans
        elif spans > 1:
            for part in batches(batch.resource_spans, batch.ByteSize() // 2):
                self._write(part)
        elif shrink(batch, MAX_LINE_BYTES, lambda one: len(line(one))):
            self._write(batch)

    def _append(self, encoded: bytes) -> None:
        """One write, if the system takes it whole. On a full disk it takes a part; the next line begins on a line of its own."""
        assert self._file is not None  # noqa: S101 - see _follow
        rest = b"\n" + encoded if self._is_torn else encoded
        while rest:
            written = os.write(self._file, rest)
            rest = rest[written:]
            self._is_torn = bool(rest)


# ---------------------------------------------------------------- a line


def line(batch: ExportTraceServiceRequest) -> bytes:
    """Protobuf's JSON mapping in UTF-8, with ids in hex (base64 there), and a newline at its end alone.

    OTLP wants numbers for enums and strings for 64-bit integers, which the mapping gives (opentelemetry.io/docs/specs/otlp, "JSON
    Protobuf Encoding"). The SDK's exporter for files (`opentelemetry-exporter-otlp-json-file`, 0.66b1) is not used: each release
    needs one version of the whole SDK, its lines have no bound, and all users can read its files.
    """
    whole = MessageToDict(batch, use_integers_for_enums=True)
    for of_resource in whole.get("resourceSpans", ()):
        for of_scope in of_resource.get("scopeSpans", ()):
            for span in of_scope.get("spans", ()):
                _hex_ids(span)
                for link in span.get("links", ()):
                    _hex_ids(link)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _hex_ids(of: dict[str, Any]) -> None:
    for name in _IDS:
        if name in of:
            of[name] = base64.b64decode(of[name]).hex()
