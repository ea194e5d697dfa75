"""Of a poll of a live run some fields are kept. They say what they say in the whole object."""

from __future__ import annotations

import pytest

from runspan.apis import assistants, responses
from runspan.apis.api import Api

STATUSES = ("queued", "in_progress", "requires_action", "completed", "expired", "of later days", None, 7)
VALUES = {"id": "run_1", "started_at": 1_700_000_001, "expires_at": 1_700_000_600}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("api", [assistants.API, responses.API], ids=lambda api: str(api.name))
def test_the_fields_of_a_poll_are_read_as_in_a_whole_run(api: Api, status: object) -> None:
    shown = {**{name: VALUES.get(name) for name in api.poll_fields}, "status": status}
    polled = api.read_run(shown, "thread_1")
    assert polled is not None
    assert polled == api.read_run({**shown, "of_another_kind": 1}, "thread_1")
    assert (polled.status, polled.phase) == (
        status if isinstance(status, str) else None,
        api.phase_of(status),
    )
