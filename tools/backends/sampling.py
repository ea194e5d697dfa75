"""The fleet's files at work: two apps, two agents, two gateways, one storage; 1 % of the ordinary traces, all of the odd ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from backends.app import USER
from backends.installs import OTELCOL
from backends.otelcol import DEPLOY, collector, sink, spans_in
from backends.report import At, Check
from backends.servers import until
from backends.told import play

TRACES = 200
# In the first app, in the second.
ODD = ({"7": "failed", "31": "slow", "57": "expensive"}, {"88": "failed", "120": "slow"})
MANY = TRACES // 10  # 1 % of 200 is 2; twenty would be an accident of one in a billion
SETTINGS = {"DECISION_WAIT": "60s", "SLOW_MS": "5000", "PERCENT": "1"}
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
        # The second app goes on in each trace that the first one began, and sends to the agent of its own host.
        told, parents = [], [{}] * TRACES
        for host, odd in zip(HOSTS, ODD, strict=True):
            options = {"odd": odd, "parents": parents}
            told.append(play(f"http://{host}:4318", "halves", options, OTEL_BSP_SCHEDULE_DELAY="500"))
            parents = told[-1].more["carriers"]
        made = Counter(s["trace"] for each in told for s in each.spans)
        traces = [parent["traceparent"].split("-")[1] for parent in parents]
        odd_traces = {
            traces[int(n)]: f"{what}, in app {n_app}"
            for n_app, odd in enumerate(ODD, 1)
            for n, what in odd.items()
        }
        wanted = sum(made[trace] for trace in odd_traces)
        found = until(
            lambda: spans_in(file), lambda f: sum(s.trace in odd_traces for s in f) >= wanted, timeout_s=120
        )
        yield at.same("traces", TRACES, len(made))
        yield at.same("dropped by the apps", [{}, {}], [each.dropped for each in told])
        kept = Counter(s.trace for s in found)
        for trace, what in odd_traces.items():
            yield at.same(f"spans of the run that is {what}", made[trace], kept[trace])
        rest = [trace for trace in made if trace not in odd_traces]
        sampled = [trace for trace in rest if kept[trace]]
        yield at.holds(
            f"of the other {len(rest)}, at 1 %", len(sampled) < MANY, len(rest) // 100, len(sampled)
        )
        yield at.same("traces kept by halves", [], [trace for trace in kept if kept[trace] != made[trace]])
        users = {s.attributes.get("user.id") for s in found}
        yield at.holds(
            "user.id, hashed on its way", len(users) == 1 and not users & {USER, None}, USER, *users
        )
