"""One run made with the real client, and whether its trace arrived."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

import runspan

from ...config import Config
from ...exporting import otlp
from ...exporting.answers import Answers, http_session
from ...fake import serve
from ..finding import Finding, bad, ok, warn
from ..target import Target, protocol, sends_otlp, target

SERVICE = "runspan-doctor"


def findings(timeout_s: float) -> Iterator[Finding]:
    """Sends a trace the way an app in this environment would; sampling is off for it."""
    said = _Said()
    logging.getLogger("runspan").addHandler(said)
    os.environ["OTEL_TRACES_SAMPLER"] = "always_on"
    handle = runspan.instrument(service_name=SERVICE, fetch="never", threads=False, console=False)
    try:
        trace_id, status = _converse()
        is_out = handle.flush(timeout_s)
        stats = handle.stats()
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
    if not is_out:
        yield bad("delivery", f"the test trace was not delivered within {timeout_s:g} s. {said.last}".strip())
    elif not _can_be_asked(handle.config):
        yield ok("delivery", f"the test trace went out to {_others(handle.config)}")
    else:
        yield _confirmed(handle.config, trace_id, timeout_s)


def _can_be_asked(config: Config) -> bool:
    return sends_otlp(config) and protocol(config) == otlp.HTTP


def _others(config: Config) -> str:
    """What is there beside OTLP over HTTP."""
    if config.file is not None:
        return f"the file {config.file}"
    return (
        f"OTEL_TRACES_EXPORTER={os.environ['OTEL_TRACES_EXPORTER']}"
        if not sends_otlp(config)
        else "the gRPC receiver"
    )


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
    to = target(config)
    found = _in_viewer(to, trace_id, timeout_s)
    if found is None:
        return ok("delivery", "the receiver took the test trace")
    if found:
        return ok("delivery", f"the viewer has the test trace: {_base(to)}/trace/{trace_id}")
    return bad(
        "delivery",
        "the viewer took the test trace, but does not have it",
        "Its store may be full: see the bounds in docs/viewer.md.",
    )


def _in_viewer(to: Target, trace_id: str, timeout_s: float) -> bool | None:
    """None: it is no viewer of ours, so nobody can be asked."""
    session = http_session(Answers(), ())
    headers = {name: value for name, value in to.headers.items() if name.lower() == "authorization"}
    try:
        if (
            session.get(f"{_base(to)}/about", headers=headers, timeout=timeout_s).headers.get("Server")
            != "runspan"
        ):
            return None
        until = time.monotonic() + timeout_s
        while True:
            answer = session.get(
                f"{_base(to)}/trace/{trace_id}/otlp.json", headers=headers, timeout=timeout_s
            )
            if answer.status_code == 200:
                return True
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
    except requests.RequestException:
        return None
    finally:
        session.close()


def _base(to: Target) -> str:
    parts = urlsplit(to.url)
    return f"{parts.scheme}://{parts.netloc}"
