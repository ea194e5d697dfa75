"""What processes that are over have delivered, against what their app says it did."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos import figures
from tests.support.otlp import generations, run_ids, runs, unfinished
from tests.support.receiver import Receiver


def check_arrived(receiver: Receiver, ids: Sequence[str], under: str = "request") -> None:
    """Each run once, finished, with its generation span, under a span of the app's own."""
    of_app = {span.span_id: span for span in receiver.spans if span.name == under}
    found = [*of_app.values(), *runs(receiver), *generations(receiver)]
    figures.count(runs=len(ids), expected=3 * len(ids), found=len(found))
    assert run_ids(receiver) == sorted(ids)
    assert len(found) == 3 * len(ids)
    assert unfinished(receiver) == {}
    assert sorted(str(run.parent_id) for run in runs(receiver)) == sorted(of_app)
    assert {g.parent_id for g in generations(receiver)} == {run.span_id for run in runs(receiver)}
