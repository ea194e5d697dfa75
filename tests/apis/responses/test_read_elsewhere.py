"""Streams of a response of another process, with its identity in the metadata. That process is an earlier `instrument()` here."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.apis.responses.server import CREATED, RESPONSE, Scripted, response, stream
from tests.support.tracing import attribute, texts, traced

OURS = {"propagate_in_metadata": True}


@pytest.fixture
def metadata(client: Any, server: Scripted) -> dict[str, str]:
    """Of a response whose creator went away, 20 ms ago."""
    server.creates(response("queued"))
    with traced(**OURS):
        client.responses.create(model="gpt-4o", input="?", background=True)
    time.sleep(0.02)
    made: dict[str, str] = server.seen[-1][2]["metadata"]
    return made


def resumes(client: Any, server: Scripted, events: list[Any], *, leaves_after: int = 99) -> list[Any]:
    server.polls(events)
    with traced(**OURS) as trace:
        for number, _ in enumerate(client.responses.retrieve(RESPONSE, stream=True, starting_after=2)):
            if number >= leaves_after:
                break
        return [(texts(span, "output"), attribute(span, "runspan.run.status")) for span in trace.spans()]


def test_the_process_that_reads_on_to_the_end_emits_it(
    client: Any, server: Scripted, metadata: dict[str, str]
) -> None:
    events = stream(metadata=metadata, completed_at=CREATED + 1)
    assert resumes(client, server, events[3:]) == [(["It is 42."], "completed")]


@pytest.mark.parametrize(("first", "ended_s_before"), [(0, 5), (3, 65)])
def test_a_repetition_of_what_is_over_adds_nothing(
    client: Any, server: Scripted, metadata: dict[str, str], first: int, ended_s_before: int
) -> None:
    stamps = {"created_at": CREATED + ended_s_before, "completed_at": CREATED}
    assert resumes(client, server, stream(metadata=metadata, **stamps)[first:]) == []


@pytest.mark.parametrize("stamps", [{}, {"created_at": CREATED + 5, "completed_at": CREATED}])
def test_one_that_ended_before_its_stream_was_resumed_is_emitted_too(
    client: Any, server: Scripted, metadata: dict[str, str], stamps: dict[str, int]
) -> None:
    assert resumes(client, server, stream(metadata=metadata, **stamps)[3:]) == [(["It is 42."], "completed")]


def test_one_that_is_seen_alive_needs_no_stamps(
    client: Any, server: Scripted, metadata: dict[str, str]
) -> None:
    assert resumes(client, server, stream(metadata=metadata)) == [(["It is 42."], "completed")]
