"""Runs that are looked for by their id, beside whatever changes them."""

from __future__ import annotations

import gc
import itertools

from runspan.runtime.pending import Claimable, of_run


def test_runs_may_come_and_go_while_one_is_looked_for() -> None:
    """The collector runs where objects are made, and with it whatever changes the runs."""
    runs = {("server", f"run_{n}", "thread"): Claimable(None) for n in range(1000)}
    numbers = itertools.count()

    def come_and_go(*_: object) -> None:
        runs["server", f"other_{next(numbers)}"] = Claimable(None)

    before = gc.get_threshold()
    gc.callbacks.append(come_and_go)
    gc.set_threshold(1)
    try:
        found = of_run(runs, "run_999")
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(come_and_go)
    assert found is runs["server", "run_999", "thread"]
    assert of_run(runs, "run_x") is None
