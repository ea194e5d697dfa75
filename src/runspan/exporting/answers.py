"""What a receiver answers to one OTLP request: whether it took the spans or metrics, all of them or not, and what it says.

A status of 200 alone proves nothing: a quota rejects some or all (`partial_success`), and a login page, a captive portal or the
wrong port answer 200 to whatever comes. So an answer counts as a delivery when it is one of OTLP: empty, protobuf or JSON.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import unquote

from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

TOO_LARGE = 413
BAD_REQUEST, TOO_LARGE_IN_GO = 400, b"request body too large"  # the Collector's way to say 413
# opentelemetry.io/docs/specs/otlp, "Retryable Response Codes" of HTTP and of gRPC.
AGAIN = frozenset({429, 502, 503, 504})
AGAIN_CODES = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED"}
    | {"OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
MAX_SAID = 300  # characters kept of what it says


class Verdict(Enum):
    TAKEN = "taken"  # all but `rejected`
    TOO_LARGE = "too large"  # less may be welcome
    REFUSED = "refused"  # the receiver works and does not want this; other spans may be welcome
    AGAIN = "again"  # it may take this later
    AWAY = "away"  # nobody there, or out of order


NOBODY = "nothing listens there"
NO_TLS = "it speaks no TLS, or its certificate is not trusted"
NO_HOST = "there is no host of that name"
NO_ANSWER = "no answer in time"


@dataclass(frozen=True, slots=True)
class Answer:
    """`status`: an HTTP status or the name of a gRPC code; None where nothing came back. `said`: its words, or ours about them."""

    verdict: Verdict
    status: int | str | None = None
    rejected: int = 0  # spans or data points
    said: str = ""
    pause_s: float | None = None  # how long it asks us to wait

    @property
    def is_refused(self) -> bool:
        """Whether nothing listens there."""
        is_grpc = self.status == "UNAVAILABLE" and "connection refused" in self.said.lower()
        return is_grpc or (self.status is None and self.said == NOBODY)

    def with_cure(self, cure: str) -> str:
        """For the log: what it answered, what it said, and what to look at."""
        said = self.said if not self.said or self.said[-1] in ".!?" else f"{self.said}."
        status = f"It answered {self.status}{':' if said else '.'}" if self.status else ""
        text = " ".join(filter(None, (status, said, cure)))
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP: of its body no more than was read, `is_whole` where that is all."""

    status_code: int
    headers: Mapping[str, str]  # by names in any case
    content: bytes
    is_whole: bool = True

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


def of_http(response: Reply, kind: Any) -> Answer:
    """`kind`: the class of the OTLP answer, such as ExportTraceServiceResponse."""
    status = response.status_code
    if status == TOO_LARGE or (status == BAD_REQUEST and TOO_LARGE_IN_GO in response.content):
        return Answer(Verdict.TOO_LARGE, status)
    if 200 <= status < 300:
        return _of_success(response, kind)
    if status in AGAIN:
        return Answer(Verdict.AGAIN, status, said=words(response), pause_s=_seconds(response))
    # A login page answers any GET with success; another host would get the spans with their keys.
    if 300 <= status < 400:
        return Answer(Verdict.REFUSED, status, said="It names another address, which is not followed.")
    return Answer(Verdict.REFUSED if status < 500 else Verdict.AWAY, status, said=words(response))


def of_grpc(response: Any) -> Answer:
    return _counted(response, "OK")


def of_grpc_error(error: Any) -> Answer:
    """`error`: of a call that failed."""
    name, details = error.code().name, str(error.details() or "")
    if (name == "RESOURCE_EXHAUSTED" and "larger than max" in details) or "status: 413" in details:
        return Answer(Verdict.TOO_LARGE, name)  # the latter is a proxy's
    if name in AGAIN_CODES:
        return Answer(Verdict.AGAIN, name, said=_cut(details), pause_s=_retry_delay(error))
    return Answer(Verdict.REFUSED, name, said=_cut(details))


# ---------------------------------------------------------------- HTTP

_MAY_BE_PROTOBUF = ("protobuf", "octet-stream")


def _of_success(response: Reply, kind: Any) -> Answer:
    status, body = response.status_code, response.content
    content_type = response.headers.get("Content-Type", "").lower()
    code = response.headers.get("grpc-status")
    if code not in (None, "0") or (code is None and content_type.startswith("application/grpc")):
        words = unquote(response.headers.get("grpc-message", ""))
        return Answer(Verdict.REFUSED, status, said=_cut(f"It speaks gRPC (grpc-status {code}): {words}"))
    if response.is_whole and not body.strip():
        return Answer(Verdict.TAKEN, status)
    if response.is_whole and (not content_type or any(word in content_type for word in _MAY_BE_PROTOBUF)):
        with contextlib.suppress(Exception):  # protobuf's DecodeError
            return _counted(kind.FromString(body), status)
    with contextlib.suppress(ValueError, RecursionError):
        return _counted(_of_json(json.loads(body), kind), status)
    what = content_type.partition(";")[0] or "something"
    return Answer(
        Verdict.REFUSED, status, said=f"It answers with {what}, which is no answer of an OTLP receiver."
    )


def _of_json(body: Any, kind: Any) -> Any:
    """Any JSON is a delivery; one with `partialSuccess` says more."""
    with contextlib.suppress(Exception):  # protobuf's ParseError: it is JSON of some other form
        return ParseDict(body, kind(), ignore_unknown_fields=True)
    return kind()


def _counted(answer: Any, status: int | str) -> Answer:
    """With what `partial_success` says; its one number is of spans or of data points."""
    partial = answer.partial_success
    rejected = next((value for field, value in partial.ListFields() if field.name.startswith("rejected_")), 0)
    return Answer(Verdict.TAKEN, status, max(0, rejected), _cut(partial.error_message))


def words(response: Reply) -> str:
    """What a failure says: the message of a protobuf Status, or a text that is no page."""
    content_type = response.headers.get("Content-Type", "").lower()
    if "protobuf" in content_type:
        with contextlib.suppress(Exception):  # protobuf's DecodeError
            return _cut(str(Status.FromString(response.content).message))
        return ""
    return "" if "html" in content_type else _cut(response.text)


def _seconds(response: Reply) -> float | None:
    with contextlib.suppress(ValueError):
        seconds = float(response.headers.get("Retry-After", ""))
        return seconds if seconds > 0 else None
    return None


# ---------------------------------------------------------------- gRPC


def _retry_delay(error: Any) -> float | None:
    for key, value in error.trailing_metadata() or ():
        if key == "google.rpc.retryinfo-bin":
            from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

            with contextlib.suppress(Exception):  # protobuf's DecodeError
                delay = RetryInfo.FromString(value).retry_delay
                return float(delay.seconds + delay.nanos / 1e9)
    return None


def _cut(text: str) -> str:
    return " ".join(text.split())[:MAX_SAID]


# ---------------------------------------------------------------- what to change, for the log and for `runspan doctor`

START = (
    "Start a receiver there, for example `runspan ui` or Jaeger; or set OTEL_EXPORTER_OTLP_ENDPOINT to another address, "
    "RUNSPAN_FILE to write a file, or OTEL_TRACES_EXPORTER=none to send nothing."
)
ITS_LOG = "A receiver is there: its own log says more."
NO_KEYS = "The keys are missing or wrong: see OTEL_EXPORTER_OTLP_HEADERS, or the variables of the backend."
NOT_ALLOWED = "The keys are not allowed to write there, or the receiver knows itself by another host name."
NO_RECEIVER = (
    "No OTLP/HTTP receiver is there, or its path is different: runspan adds /v1/traces to the address."
)
CHECK = (
    "Check that a receiver runs there, for example `runspan ui` or Jaeger; that http:// or https:// is correct; "
    "and that no firewall is in between."
)
# By the status, or by our words where nothing came back.
CURES: Mapping[int | str, str] = {
    401: NO_KEYS,
    403: NOT_ALLOWED,
    404: NO_RECEIVER,
    405: NO_RECEIVER,
    415: "It does not take protobuf, which is what exporters of Python send.",
    "UNAUTHENTICATED": NO_KEYS,
    "PERMISSION_DENIED": NOT_ALLOWED,
    "UNIMPLEMENTED": "That is a gRPC server, but no OTLP receiver of traces.",
    NO_TLS: "Begin the address with http://, or name the receiver's certificate in OTEL_EXPORTER_OTLP_CERTIFICATE.",
    NO_HOST: "Look for a typing error in the address, which is OTEL_EXPORTER_OTLP_ENDPOINT or endpoint=.",
    NO_ANSWER: CHECK,
}


def cure_of(answer: Answer) -> str:
    is_nobody = answer.status in (None, "UNAVAILABLE")  # the latter is gRPC's
    return CURES.get(answer.status or answer.said, START if is_nobody else ITS_LOG)
