"""Which variables are set, which of them count, and which say something that keeps traces from arriving."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ...config import unknown_variables
from ...presets import PRESETS
from ..finding import Finding, bad, note, warn

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|HEADERS|CREDENTIAL", re.IGNORECASE)
MASK = "********"


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    names = sorted(name for name in environ if environ[name] and _is_meant(name, environ))
    if names:
        yield note("variables", "\n".join(f"{name}={masked(name, environ[name])}" for name in names))
    else:
        yield note("variables", "no RUNSPAN_* or OTEL_* variable is set: traces go to http://localhost:4318")
    yield from _unknown(environ)
    yield from _beaten(environ)
    yield from _silent(environ)


def masked(name: str, value: str) -> str:
    """The value as it may be shown: no keys, no user or query of a URL. Of headers, their names."""
    if "HEADERS" in name:
        return ",".join(f"{pair.partition('=')[0].strip()}={MASK}" for pair in value.split(","))
    if SECRET.search(name):
        return MASK
    if "://" in value:
        try:
            parts = urlsplit(value)
        except ValueError:  # no URL: said when it is used
            return MASK if "@" in value or "?" in value else value
        netloc = parts.netloc.rpartition("@")[2]
        hidden = f"{MASK}@" if "@" in parts.netloc else ""
        return f"{parts.scheme}://{hidden}{netloc}{parts.path}" + (f"?{MASK}" if parts.query else "")
    return value


def _is_meant(name: str, environ: Mapping[str, str]) -> bool:
    preset = PRESETS.get(environ.get("RUNSPAN_BACKEND", "").strip().lower())
    return name.startswith(("RUNSPAN_", "OTEL_")) or (preset is not None and name in preset.variables)


def _unknown(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, close in unknown_variables(environ).items():
        guess = f"Did you mean {' or '.join(close)}?" if close else ""
        yield warn("variables", f"{name} is not a variable of runspan", guess)


def _beaten(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Set, and of no effect."""
    for what in ("ENDPOINT", "HEADERS", "PROTOCOL"):
        special, general = f"OTEL_EXPORTER_OTLP_TRACES_{what}", f"OTEL_EXPORTER_OTLP_{what}"
        if environ.get(special) and environ.get(general):
            yield note("variables", f"{special} counts for traces; {general} does not")
    backend = environ.get("RUNSPAN_BACKEND", "").strip().lower()
    if backend in PRESETS and PRESETS[backend].hosts:
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            if environ.get(name):
                yield note("variables", f"RUNSPAN_BACKEND={backend} beats {name}")


def _silent(environ: Mapping[str, str]) -> Iterator[Finding]:
    exporters = [part.strip() for part in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if part.strip()]
    if exporters and "otlp" not in exporters:
        only = f"OTEL_TRACES_EXPORTER={','.join(exporters)}"
        if exporters == ["none"] and not environ.get("RUNSPAN_FILE"):
            yield bad(
                "variables",
                f"{only}: traces are sent nowhere",
                "Unset OTEL_TRACES_EXPORTER, or set it to otlp.",
            )
        else:
            yield warn(
                "variables",
                f"{only}: nothing is sent over OTLP",
                "Unset OTEL_TRACES_EXPORTER, or set it to otlp.",
            )
    sampler, share = environ.get("OTEL_TRACES_SAMPLER", ""), environ.get("OTEL_TRACES_SAMPLER_ARG", "1.0")
    if "always_off" in sampler or ("ratio" in sampler and _number(share) == 0):
        yield bad(
            "variables",
            f"OTEL_TRACES_SAMPLER={sampler}: no new trace is recorded",
            "Unset OTEL_TRACES_SAMPLER.",
        )
    elif "ratio" in sampler:
        yield warn(
            "variables", f"OTEL_TRACES_SAMPLER={sampler}: a share of {share} of all traces is recorded"
        )
    if "openai_assistants" in environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""):
        yield warn(
            "variables",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names openai_assistants: opentelemetry-instrument leaves runspan out",
        )
    endpoint = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if endpoint.rstrip("/").endswith("/v1/traces"):
        yield warn(
            "variables",
            "OTEL_EXPORTER_OTLP_ENDPOINT ends in /v1/traces, which exporters add themselves",
            "Write the address without it, or use OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.",
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
