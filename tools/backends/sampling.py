"""The fleet's files at work: two apps, two agents, two gateways, one storage; 1 % of the ordinary traces, all of the odd ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .app import USER
from .installs import OTELCOL
from .otelcol import DEPLOY, collector, sink, spans_in
from .report import At, Check
from .servers import until
from .told import environment

TRACES = 200
ODD_FIRST = {"7": "failed", "31": "slow", "57": "expensive"}
ODD_SECOND = {"88": "failed", "120": "slow"}
MANY = TRACES // 10  # 1 % of 200 is 2; twenty would be an accident of one in a billion
SETTINGS = {"DECISION_WAIT": "20s", "SLOW_MS": "5000", "PERCENT": "1"}
HOSTS = ("127.0.0.1", "127.0.0.2")


def checks() -> Iterator[Check]:
    at = At("Collector", OTELCOL.version, "fleet, 2 + 2")
    with TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "storage.jsonl"
        stack.enter_context(sink(file))
        for host in HOSTS:
            env = {"LISTEN": host, "STORAGE": "127.0.0.1:24317", **SETTINGS}
            stack.enter_context(collector(DEPLOY / "fleet-gateway.yaml", ready=f"http://{host}:14133", **env))
        gateways = "[" + ", ".join(f"'{host}:5317'" for host in HOSTS) + "]"
        for host in HOSTS:
            env = {"LISTEN": host, "GATEWAYS": gateways}
            stack.enter_context(collector(DEPLOY / "fleet-agent.yaml", ready=f"http://{host}:13133", **env))
        first, second = _played()
        made = Counter(first["trace_of"]) + Counter(second["trace_of"])
        odd = {first["order"][int(n)]: what for n, what in ODD_FIRST.items()}
        odd |= {second["order"][int(n)]: f"{what}, in the second process" for n, what in ODD_SECOND.items()}
        wanted = sum(made[trace] for trace in odd)
        found = until(
            lambda: spans_in(file), lambda f: sum(s.trace in odd for s in f) >= wanted, timeout_s=60
        )
        yield at.same(
            "traces, spans offered",
            (TRACES, sum(made.values())),
            (len(made), len({*first["spans"], *second["spans"]})),
        )
        yield at.same("dropped by the apps", ({}, {}), (first["dropped"], second["dropped"]))
        kept = Counter(s.trace for s in found)
        for trace, what in odd.items():
            yield at.same(f"spans of the run that is {what}", made[trace], kept[trace])
        rest = [trace for trace in made if trace not in odd]
        sampled = [trace for trace in rest if kept[trace]]
        yield at.holds(
            f"of the other {len(rest)}, at 1 %", len(sampled) < MANY, len(rest) // 100, len(sampled)
        )
        halves = [trace for trace in kept if kept[trace] != made[trace]]
        yield at.same("traces kept by halves", 0, len(halves))
        users = {(s.attributes or {}).get("user.id") for s in found}
        yield at.holds(
            "user.id, hashed on its way", len(users) == 1 and not users & {USER, None}, USER, *users
        )


def _played() -> tuple[dict[str, Any], dict[str, Any]]:
    """Both processes at once, each sending to the agent of its own host."""
    from_first, to_second = os.pipe()
    processes = []
    for role, host, odd in (("first", HOSTS[0], ODD_FIRST), ("second", HOSTS[1], ODD_SECOND)):
        process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "backends.pair",
                role,
                json.dumps({"traces": TRACES, "odd": odd}),
            ],
            env=environment(
                f"http://{host}:4318", OTEL_BSP_SCHEDULE_DELAY="500", OTEL_SERVICE_NAME=f"{role}-half"
            ),
            stdin=subprocess.DEVNULL if role == "first" else from_first,
            stdout=to_second if role == "first" else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
    os.close(from_first)
    os.close(to_second)
    first, second = (
        json.loads(process.communicate(timeout=180)[1].splitlines()[-1]) for process in processes
    )
    return first, second
