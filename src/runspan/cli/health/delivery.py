"""One run made with the real client, and whether its trace arrived."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import requests

import runspan

from ...config import Config, resolve
from ...exporting.address import address, exporters
from ...exporting.sending import new_session
from ...fake import serve
from ...providers import private_provider
from ...setup import start_with
from ..finding import Finding, bad, ok, warn
from .asking import NoAnswerError, asked

SERVICE = "runspan-doctor"


def findings(timeout_s: float) -> Iterator[Finding]:
    """Sends a trace over the exporters that an app in this environment gets; sampling is off for it.

    Through a provider of its own, also where the launcher has set one: of that the results can't be seen.
    """
    said = _Said()
    logging.getLogger("runspan").addHandler(said)
    os.environ["OTEL_TRACES_SAMPLER"] = "always_on"
    os.environ.pop("RUNSPAN_CONSOLE", None)
    config = resolve({"service_name": SERVICE}, os.environ)
    provider, used = private_provider(config)
    handle = start_with(resolve({"tracer_provider": provider, "background_fetch": False}, os.environ))
    try:
        trace_id, status = _converse()
        is_out = handle.flush(timeout_s)
        stats = handle.stats()
        failed = sum(exporter.failed + exporter.overflown for exporter in used)
    finally:
        handle.uninstrument()
        logging.getLogger("runspan").removeHandler(said)
    if stats.emitted != 1:
        yield bad(
            "test run",
            f"the run made no trace: {stats}",
            "Please report this, with the output of runspan doctor --json.",
        )
        return
    yield ok("test run", f"a run with the real client ended {status}; its trace is {trace_id}")
    if stats.dropped:
        yield warn("test run", f"dropped: {dict(stats.dropped)}")
    if failed:
        yield bad("delivery", f"the test trace was not delivered: {failed} spans were lost. {said.last}")
    elif not is_out:
        yield bad("delivery", f"the test trace was not delivered within {timeout_s:g} s. {said.last}".strip())
    elif "otlp" not in exporters(config):
        yield ok("delivery", f"the test trace went out to {_others(config)}")
    else:
        yield _confirmed(config, trace_id, timeout_s)


def _others(config: Config) -> str:
    """Where traces go when none go over OTLP."""
    if config.file is not None:
        return f"the file {config.file}"
    return f"OTEL_TRACES_EXPORTER={os.environ['OTEL_TRACES_EXPORTER']}"


class _Said(logging.Handler):
    """The last warning, which tells why."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.last = record.getMessage().removeprefix("runspan: ")


def _converse() -> tuple[str, str]:
    """Trace id and status of one run with the fake server."""
    import openai

    warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
    with serve("text") as server, openai.OpenAI(api_key="none", base_url=server.base_url) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", name="runspan doctor")
        messages: Any = [{"role": "user", "content": "Does this arrive?"}]
        thread = client.beta.threads.create(messages=messages)
        with runspan.span("runspan doctor"):
            trace_id = runspan.current_trace_id() or ""
            run = client.beta.threads.runs.create_and_poll(
                thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=20
            )
            client.beta.threads.messages.list(thread.id)
    return trace_id, run.status


def _confirmed(config: Config, trace_id: str, timeout_s: float) -> Finding:
    """A viewer of ours can be asked for the trace; of other receivers the answer counts."""
    to = address(config)
    try:
        page = asked(to, timeout_s).page
    except NoAnswerError:
        page = None
    found = None if page is None else _in_viewer(page, to.headers, trace_id, timeout_s)
    if found is None:
        return ok("delivery", "the receiver took the test trace")
    if found:
        return ok("delivery", f"the viewer at {page} had the test trace, which is deleted again")
    return bad(
        "delivery",
        "the viewer took the test trace, but does not have it",
        "Its store may be full: see the bounds in docs/viewer.md.",
    )


def _in_viewer(page: str, sent: Mapping[str, str], trace_id: str, timeout_s: float) -> bool | None:
    """Whether it was there; it is deleted. None: the viewer can't be asked from here."""
    session = new_session()
    headers = {name: value for name, value in sent.items() if name.lower() == "authorization"}
    until = time.monotonic() + timeout_s
    try:
        while True:
            answer = session.get(f"{page}/trace/{trace_id}/otlp.json", headers=headers, timeout=timeout_s)
            if answer.status_code == 200:
                session.delete(f"{page}/api/v1/traces/{trace_id}", headers=headers, timeout=timeout_s)
                return True
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
    except requests.RequestException:
        return None
    finally:
        session.close()
