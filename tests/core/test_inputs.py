"""Which messages a run read: what lay in the thread when it was created, then its `additional_messages`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.core.conversation import Begun, Conversation
from runspan.core.lifecycle import RunState
from runspan.core.model import Message, Part, RunKey, RunRequest
from runspan.core.run_messages import inputs, outputs
from tests.core.words import KEY, A, begun, said

REQUEST_NS = 1_000


def run_of(
    id_: str = "run_1", created_at: int = A, request_ns: int = REQUEST_NS, *additional: Message
) -> RunState:
    state = begun(
        request_ns, request_ns + 10, created_at=created_at, request=RunRequest(additional_messages=additional)
    )
    return replace(state, key=RunKey(KEY.server, KEY.conversation_id, id_))


def answer(text: str, id_: str, run_id: str, created_at: int) -> Message:
    return Message(id_, "assistant", (Part("text", text),), created_at, run_id)


def texts(messages: tuple[Message, ...]) -> list[str]:
    return [m.parts[0].text or "" for m in messages]


CONVERSATION = Conversation(
    (
        said("q1", "m1", created_at=A),
        answer("a1", "m2", "run_1", A + 2),
        said("q2", "m3", created_at=A + 10),
        answer("a2", "m4", "run_2", A + 12),
        said("q3", "m5", created_at=A + 20),
    )
)


def test_each_of_several_runs_in_a_row_reads_what_lay_there_and_writes_its_own() -> None:
    first, second, third = run_of(), run_of("run_2", A + 10), run_of("run_3", A + 20)
    assert texts(inputs(CONVERSATION, first)) == ["q1"]
    assert texts(inputs(CONVERSATION, second)) == ["q1", "a1", "q2"]
    assert texts(inputs(CONVERSATION, third)) == ["q1", "a1", "q2", "a2", "q3"]
    assert [texts(outputs(CONVERSATION, state)) for state in (first, second, third)] == [["a1"], ["a2"], []]


@pytest.mark.parametrize(("sent_ns", "is_input"), [(REQUEST_NS - 1, True), (REQUEST_NS + 1, False)])
def test_our_own_clock_decides_on_messages_that_we_sent_in_the_same_second(
    sent_ns: int, is_input: bool
) -> None:
    log = Conversation(
        (said("q1", "m1", created_at=A), said("same second", "m2", created_at=A, sent_ns=sent_ns))
    )
    assert texts(inputs(log, run_of())) == ["q1", *(["same second"] if is_input else [])]


def test_without_stamps_everything_that_lies_there_was_read() -> None:
    log = Conversation((said("q1", "m1"), said("q2", "m2")))
    assert texts(inputs(log, run_of())) == ["q1", "q2"]


EXTRA = said("extra 1"), said("extra 2")
Q1 = said("q1", "m1", created_at=A - 5)


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("not listed", []),
        (
            "listed with the run's id",
            [replace(m, id=f"x{i}", run_id="run_1", created_at=A) for i, m in enumerate(EXTRA)],
        ),
        ("listed without it", [replace(m, id=f"x{i}", created_at=A) for i, m in enumerate(EXTRA)]),
        ("listed a second later", [replace(m, id=f"x{i}", created_at=A + 1) for i, m in enumerate(EXTRA)]),
        ("one of them listed with it", [replace(EXTRA[1], id="x1", run_id="run_1", created_at=A)]),
        ("one of them listed without it", [replace(EXTRA[1], id="x1", created_at=A)]),
    ],
)
def test_additional_messages_are_read_once_and_last(name: str, listed: list[Message]) -> None:
    log = Conversation((Q1, *listed, answer("a1", "m2", "run_1", A + 2)))
    assert texts(inputs(log, run_of("run_1", A, REQUEST_NS, *EXTRA))) == ["q1", "extra 1", "extra 2"]
    assert texts(outputs(log, run_of())) == ["a1"]


def test_an_additional_message_of_the_assistants_role_is_no_output() -> None:
    """`additional_messages` may say `role="assistant"`; listed, they carry the run's id."""
    extra = replace(said("as if I had said", role="assistant"), run_id=None)
    listed = replace(extra, id="x1", run_id="run_1", created_at=A)
    state = run_of("run_1", A, REQUEST_NS, extra)
    log = Conversation((Q1, listed, answer("a1", "m2", "run_1", A + 2)))
    assert texts(inputs(log, state)) == ["q1", "as if I had said"]


def test_the_next_run_reads_the_additional_messages_of_the_one_before() -> None:
    log = Conversation(
        (Q1, replace(EXTRA[0], id="x1", run_id="run_1", created_at=A), said("q2", "m3", created_at=A + 5))
    )
    assert texts(inputs(log, run_of("run_2", A + 5))) == ["q1", "extra 1", "q2"]


@pytest.mark.parametrize(
    ("name", "log", "expected"),
    [
        (
            "another process's answer stands before what we sent then",
            Conversation((answer("a0", "m0", "run_x", A), said("q", "m1", created_at=A, sent_ns=5))),
            ["a0", "q"],
        ),
        (
            "it stands behind what we sent then, and may be later than the run",
            Conversation((said("q", "m1", created_at=A, sent_ns=5), answer("a0", "m0", "run_x", A))),
            ["q"],
        ),
        (
            "a later run of ours, on a server whose stamps are all the same",
            Conversation(
                (said("q", "m1", created_at=1), answer("a", "m2", "run_2", 1)),
                runs={"run_2": Begun(REQUEST_NS + 1)},
            ),
            ["q"],
        ),
        (
            "a user's message behind the run's own answer",
            Conversation((said("q", "m1"), answer("a", "m2", "run_1", A), said("q2", "m3", created_at=A))),
            ["q"],
        ),
        (
            "the run's own answer, of an earlier second",
            Conversation((answer("a", "m2", "run_1", A - 9),)),
            [],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_in_the_second_of_the_run_the_thread_s_order_tells(
    name: str, log: Conversation, expected: list[str]
) -> None:
    assert texts(inputs(log, run_of())) == expected
