"""Where traces go, over which protocol, and who answers there."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from ...config import Config, ConfigError
from ...exporting.address import DEFAULTS, GRPC, Address, address, exporters
from ...exporting.answers import CURES
from ...exporting.otlp import exporter
from ...exporting.variables import of_otlp
from ...presets import PRESETS
from ..finding import Finding, bad, note, ok, warn
from .asking import Answer, NoAnswerError, asked

START = (
    "Start `runspan ui` (or a Collector, Jaeger ...), or name another address in OTEL_EXPORTER_OTLP_ENDPOINT."
)
LAUNCHER = "opentelemetry-instrument sends over grpc to localhost:4317 unless OTEL_EXPORTER_OTLP_PROTOCOL says otherwise"


def findings(config: Config) -> Iterator[Finding]:
    if config.file is not None:
        yield note("address", f"traces are written to the file {config.file}")
    if "otlp" not in exporters(config):
        return
    try:
        exporter(config)  # reads all that `instrument()` reads
        to = address(config)
    except ConfigError as error:
        yield bad("address", str(error))
        return
    where = f"traces go to {to.shown} over {to.protocol}"
    try:
        answer = asked(to)
    except NoAnswerError as error:
        yield bad("address", f"{where}, and {error}", _start(config, to, error.cure))
    else:
        yield _judged(answer, where, to)
    yield from _swapped(to)
    if of_otlp("PROTOCOL")[1] is None and find_spec("opentelemetry.distro") is not None:
        yield note("address", LAUNCHER, f"To check that: OTEL_EXPORTER_OTLP_PROTOCOL={GRPC} runspan doctor")


def _start(config: Config, to: Address, cure: str | None) -> str:
    """A backend's own variables beat those of OpenTelemetry."""
    if config.backend is None or not to.is_of_preset:
        return cure or START
    preset = PRESETS[config.backend]
    return f"Start {preset.title}, or set {' or '.join(preset.hosts)} to another address."


def _swapped(to: Address) -> Iterator[Finding]:
    other = to.protocol_of_port
    if other != to.protocol:
        yield warn(
            "address",
            f"{to.shown} has the usual port for {other}, but runspan sends {to.protocol}",
            f"Set OTEL_EXPORTER_OTLP_PROTOCOL={other}, or send to {DEFAULTS[to.protocol]}.",
        )


def _judged(answer: Answer, where: str, to: Address) -> Finding:
    if answer.is_taken:
        who = "a runspan viewer" if answer.page is not None else "an OTLP receiver"
        return ok("address", f"{where}, where {who} answers")
    text = f"{where}, which answers {answer.status} {answer.said}".rstrip()
    cure = CURES.get(answer.status)
    return warn("address", text) if cure is None else bad("address", text, cure)
