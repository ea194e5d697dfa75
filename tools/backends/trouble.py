"""Delivery under trouble, with the real Collector: what runspan does to its app, and what becomes of the spans.

Of each case: the app's calls are not slowed, `flush()` and exit keep their deadlines, sent = arrived + counted, nothing arrives
twice, and what is lost is said once. Calls are compared with those of the untroubled case; the factor is wide, because what is
looked for is a call that waits for the network (seconds), not noise.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .gate import Gate, gate
from .installs import OTELCOL
from .otelcol import sink, spans_in
from .report import At, Check
from .told import environment

RUNS = 150
FLUSH_S, EXIT_S = 3.0, 3.0
LATE_S = 2.0  # what a busy machine may add to a deadline
SLOWER = 5.0
HTTP, GRPC = "http://127.0.0.1:24318", "http://127.0.0.1:24317"
TLS = Path(__file__).with_name("sink-tls.yaml")


@dataclass
class Case:
    """`half` happens when the app has made half of its runs. `lost`: what has to be lost, all, some or nothing."""

    what: str
    lost: str
    gate: dict[str, Any] | None = None
    where: str = HTTP
    half: Callable[[Trouble], None] = lambda trouble: None
    starts_up: bool = True
    tls: bool = False
    env: dict[str, str] = field(default_factory=dict)


class Trouble:
    """The Collector of one case, which may be stopped, killed and started again."""

    def __init__(self, folder: Path, case: Case) -> None:
        self.file = folder / "sink.jsonl"
        self._case = case
        self._cert = folder / "cert.pem", folder / "key.pem"
        self._stack = ExitStack()
        self.process: subprocess.Popen[bytes] | None = None
        self.gate: Gate | None = None

    def start(self) -> None:
        more, env = (), {}
        if self._case.tls:
            more, env = (TLS,), _certificate(*self._cert)
        self._stack = ExitStack()
        self.process = self._stack.enter_context(sink(self.file, *more, **env))

    def stop(self) -> None:
        self._stack.close()

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.stop()


def _restart(trouble: Trouble) -> None:
    trouble.stop()
    trouble.start()


def _kill_and_restart(trouble: Trouble) -> None:
    trouble.kill()
    time.sleep(1)
    trouble.start()


def _open(trouble: Trouble) -> None:
    assert trouble.gate is not None
    trouble.gate.times = 0


CASES = (
    Case("untroubled", "nothing", gate={}),
    Case("stopped all along", "all", starts_up=False),
    Case("stopped in the middle", "some", half=Trouble.stop),
    Case("started in the middle", "any", starts_up=False, half=Trouble.start),
    Case("restarted", "any", half=_restart),
    Case("killed in mid-batch, restarted", "any", half=_kill_and_restart),
    Case("slow, 1 s a request", "nothing", gate={"delay_s": 1.0}),
    Case("refuses with 429", "all", gate={"refuse": 429}),
    Case("429 at first", "any", gate={"refuse": 429}, half=_open),
    Case("refuses with 503", "all", gate={"refuse": 503}),
    Case("503 twice, then takes", "nothing", gate={"refuse": 503, "times": 2}),
    Case("never answers", "all", gate={"hangs": True}),
    Case("wrong port: HTTP to gRPC", "all", where=GRPC),
    Case("wrong port: gRPC to HTTP", "all", where=HTTP, env={"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}),
    Case("TLS here, none there", "all", where=HTTP.replace("http:", "https:")),
    Case("none here, TLS there", "all", tls=True),
    Case("TLS of an unknown authority", "all", tls=True, where=HTTP.replace("http:", "https:")),
)


def checks() -> Iterator[Check]:
    bare_ms = 0.0
    for case in CASES:
        with TemporaryDirectory() as folder:
            trouble = Trouble(Path(folder), case)
            facts = _play(case, trouble)
            found = spans_in(trouble.file)  # the Collector has ended, so all it took is there
        bare_ms = bare_ms or facts["run_ms"]
        yield from _held(
            At("Collector", OTELCOL.version, case.what), case, facts, [s.span for s in found], bare_ms
        )


def _play(case: Case, trouble: Trouble) -> dict[str, Any]:
    with gate(HTTP, **case.gate) if case.gate is not None else nullcontext(None) as trouble.gate:
        where = trouble.gate.endpoint if trouble.gate else case.where
        if case.starts_up:
            trouble.start()
        try:
            options = {"runs": RUNS, "flush_s": FLUSH_S, "exit_timeout_s": EXIT_S}
            app = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "backends.busy", json.dumps(options)],
                env=environment(
                    where,
                    **{"OTEL_BSP_SCHEDULE_DELAY": "500", "OTEL_EXPORTER_OTLP_TIMEOUT": "10", **case.env},
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert app.stdin is not None
            assert app.stdout is not None
            try:
                assert app.stdout.readline() == "half\n"
                case.half(trouble)
                app.stdin.write("on\n")
                app.stdin.flush()
                facts: dict[str, Any] = json.loads(app.stdout.readline())
                app.wait(30)
            finally:
                app.kill()
        finally:
            trouble.stop()
    return facts


def _held(at: At, case: Case, facts: dict[str, Any], found: list[str], bare_ms: float) -> Iterator[Check]:
    sent, arrived, counted = set(facts["sent"]), set(found), _counted(facts)
    yield at.same("spans arrived + counted as lost", len(sent), len(arrived) + counted)
    yield at.holds(
        "  nothing twice, nothing else", len(found) == len(arrived) and arrived <= sent, "", len(arrived)
    )
    is_as_said = {"all": not arrived, "nothing": not counted, "some": 0 < counted < len(sent), "any": True}[
        case.lost
    ]
    yield at.holds(f"  lost: {case.lost}", is_as_said, "", facts["dropped"])
    said = [line for line in facts["said"] if "runspan" in line]
    yield at.holds(
        "  said once, by us alone",
        len(facts["said"]) == len(said) == (1 if counted else 0),
        "",
        facts["said"] or "nothing",
    )
    yield at.holds(
        "flush() within", facts["flush_s"] <= FLUSH_S + LATE_S, FLUSH_S, round(facts["flush_s"], 2)
    )
    yield at.holds("exit within", facts["exit_s"] <= EXIT_S + LATE_S, EXIT_S, round(facts["exit_s"], 2))
    yield at.holds(
        "a run's calls, untroubled = 1",
        facts["run_ms"] <= SLOWER * bare_ms,
        1,
        round(facts["run_ms"] / bare_ms, 2),
    )
    yield at.same("errors of ours", {}, facts["errors"])


def _counted(facts: dict[str, Any]) -> int:
    return sum(n for cause, n in facts["dropped"].items() if "span" in cause)


def _certificate(cert: Path, key: Path) -> dict[str, str]:
    """Self-signed, for 127.0.0.1."""
    if not cert.exists():
        subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
        subprocess.run([*make, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return {"SINK_CERT": str(cert), "SINK_KEY": str(key)}
