"""Servers that are ended right after their last answer: all spans arrive, and the end is the same as without us."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest

from runspan.fake import SimulatedClock, serve
from tests.endings import table
from tests.endings.rounds import Ended, play, press_ctrl_c, terminate
from tests.endings.servers import SERVERS, Server
from tests.support import receiver as receivers
from tests.support.children import environment
from tests.support.otlp import generations, run_ids, runs, unfinished
from tests.support.playing import ANSWER, ANSWERED
from tests.support.receiver import Receiver

ROUNDS = 20 if os.environ.get("RUNSPAN_ENDINGS") else 1
AT_THE_END_ALONE = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}  # no span leaves before


def arrived(receiver: Receiver) -> tuple[int, int, int]:
    """Of each kind, how many: an observed function, a Run and a model call for each request."""
    answers = [s for s in receiver.spans if s.name == "answer"]
    return len(answers), len(runs(receiver)), len(generations(receiver))


def one_round(server: Server, instruments: str, end: Any) -> tuple[Ended, Receiver]:
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as fake, receivers.serve() as receiver:
        env = environment(
            fake, receiver, APP_INSTRUMENTS=instruments, PYTHONWARNINGS="ignore", **AT_THE_END_ALONE
        )
        ended = play(server, env, end)
    assert [answer.split()[2] for answer in ended.answers] == ["completed"] * 10
    return ended, receiver


ENDS = {"SIGTERM": terminate, "Ctrl-C": press_ctrl_c}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_every_requests_spans_arrive_and_the_end_is_the_same(server: Server, end: str) -> None:
    missing = [name for name in server.needs if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    bare = [one_round(server, "", ENDS[end])[0] for _ in range(max(1, ROUNDS // 4))]
    traced = [one_round(server, server.instruments, ENDS[end]) for _ in range(ROUNDS)]
    name = f"{server.name}, {end}"
    spans = sum(sum(arrived(receiver)) for _, receiver in traced)
    table.rows.append(table.Row(name, spans, bare, [ended for ended, _ in traced]))
    for ended, receiver in traced:
        # A server that kills its own process does so without us, too: that round says nothing of the process's runs.
        assert set(ended.run_ids) - ended.may_lack <= set(run_ids(receiver)) <= set(ended.run_ids)
        assert arrived(receiver) == (len(run_ids(receiver)),) * 3
        assert unfinished(receiver) == {}
        assert all(ANSWER in str(g.attributes.get("gen_ai.output.messages")) for g in generations(receiver))
    assert {ended.code for ended, _ in traced} <= {ended.code for ended in bare}
