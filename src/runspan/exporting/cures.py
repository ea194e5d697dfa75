"""What to change where a receiver takes nothing, by what it answered: for the log and for `runspan doctor`."""

from __future__ import annotations

from collections.abc import Mapping

from .answers import NO_ANSWER, NO_HOST, NO_TLS, Answer

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
    NO_ANSWER: "Check that a receiver runs there, that http:// or https:// is correct, and that no firewall is in between.",
}


def cure_of(answer: Answer) -> str:
    is_nobody = answer.status in (None, "UNAVAILABLE")  # the latter is gRPC's
    return CURES.get(answer.status or answer.said, START if is_nobody else ITS_LOG)
