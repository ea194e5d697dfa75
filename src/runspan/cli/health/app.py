"""What became of an app's runs, told when it has ended."""

from __future__ import annotations

import atexit
import json
import logging
import sys
from collections.abc import Iterator

import runspan

from ..drawing import draw
from ..finding import Finding, State, bad, note, ok, warn
from ..output import shown

MAX_SAID = 50
UNFINISHED = (
    "runspan.run.unfinished on the run span says why; `runspan tree --errors` says it in words. Most often the process "
    "ends before the run does: wait for the run, or hand it off to another process."
)
EXPORTERS = "opentelemetry.exporter"  # and what is below


class _Said(logging.Handler):
    """What runspan told while the app ran: where traces go, neighbours, what was lost. The first few of each.

    And what the SDK's exporters told of providers that the app has set itself: nobody else knows that they failed.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        is_foreign = record.name.startswith(EXPORTERS)
        if is_foreign and record.levelno < logging.ERROR:
            return
        if len(self.records) < MAX_SAID:
            text = record.getMessage().splitlines()[0].removeprefix("runspan: ")
            self.records.setdefault(text, record.levelno)


def report_at_exit(before: tuple[Finding, ...], as_json: bool) -> None:
    """Call it before `instrument()`: exit hooks run last-registered first, so everything is sent by then."""
    said = _Said()
    logger = logging.getLogger("runspan")
    logger.addHandler(said)
    logging.getLogger(EXPORTERS).addHandler(said)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    atexit.register(_report, before, said, as_json)


def _report(before: tuple[Finding, ...], said: _Said, as_json: bool) -> None:
    findings = list(_findings(said))
    if not as_json:
        sys.stderr.write("\nrunspan doctor, when the app had ended:\n")
        for finding in findings:
            draw(finding, to_stderr=True)
        return
    every = [*before, *findings]
    told = {
        "ok": all(one.state is not State.BAD for one in every),
        "findings": [one.as_json() for one in every],
    }
    sys.stderr.write(json.dumps(told) + "\n")


def _findings(said: _Said) -> Iterator[Finding]:
    for text, level in said.records.items():
        if level >= logging.ERROR:
            yield bad("told", shown(text), "Look at the address above.")
        else:
            yield (warn if level >= logging.WARNING else note)("told", shown(text))
    now = runspan.current_handle()
    if now is None:
        yield bad(
            "runs",
            "the app was not traced",
            "Is something above marked, or does the app call uninstrument()?",
        )
        return
    if "openai" not in sys.modules:
        yield bad("runs", "the app did not import openai", "Was this the process that talks to the server?")
        return
    stats = now.stats()
    counts = {"emitted": stats.emitted, "unfinished": stats.unfinished, "still alive": stats.live}
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    recorded = f"{stats.started} run(s) recorded: {told or 'none of them ended'}"
    if stats.unfinished:
        yield warn("runs", recorded, UNFINISHED)
    elif stats.started:
        yield ok("runs", recorded)
    elif stats.unrecorded:
        yield bad(
            "runs",
            f"{stats.unrecorded} run(s), none recorded",
            "The sampler dropped them: look at OTEL_TRACES_SAMPLER.",
        )
    else:
        yield bad(
            "runs",
            "the app made no run",
            "Did an earlier call fail? A run begins at client.beta.threads.runs.create, in the process that makes the call.",
        )
    if stats.dropped:
        causes = ", ".join(f"{count} {cause}" for cause, count in stats.dropped.items())
        yield bad(
            "dropped",
            f"dropped: {causes}",
            "export_failed_spans: see the address above; the others: docs/configuration.md.",
        )
    if stats.errors:
        yield warn(
            "errors", f"errors of runspan itself, by place: {dict(stats.errors)}", "Please report them."
        )
