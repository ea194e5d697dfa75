"""Where a thread's messages could be taken for others, doubled or lost: cursors, stamps, words said twice, bounds."""

from __future__ import annotations

from functools import reduce

import pytest
from msgspec.structs import replace

from runspan.core.conversation import MAX_MESSAGES, Conversation, record
from runspan.core.model import Listing, Message, Observation, Outcome, Part, RunRequest
from runspan.core.run_messages import has_all_outputs, inputs, outputs
from tests.core.words import A, S, after, begun, poll, said, seen

WHOLE = Listing(from_start=True, to_end=True)
NEWEST = Listing(from_start=False, to_end=True)
MIDDLE = Listing(from_start=False, to_end=False)


def page(*messages: Message, listing: Listing | None = WHOLE, request_ns: int = 100) -> Observation:
    return seen(request_ns, request_ns + 5, messages=messages, listing=listing)


def log_of(*observations: Observation) -> Conversation:
    return reduce(record, observations, Conversation())


def same_second(*ids: str) -> list[Message]:
    return [said(f"text of {id_}", id_, created_at=A) for id_ in ids]


@pytest.mark.parametrize(
    ("listing", "stamp", "order"),
    [
        (replace(MIDDLE, follows="m1"), A - 5, ["m0", "m1", "x", "y", "m2", "m3"]),
        (replace(MIDDLE, precedes="m2"), A, ["m0", "m1", "x", "y", "m2", "m3"]),
        (replace(MIDDLE, precedes="m2"), A + 5, ["m0", "m1", "x", "y", "m2", "m3"]),
        (replace(MIDDLE, follows="m0", precedes="m1"), A, ["m0", "x", "y", "m1", "m2", "m3"]),
        (
            replace(MIDDLE, follows="m2", precedes="m1"),
            A,
            ["m0", "m1", "m2", "x", "y", "m3"],
        ),  # a contradiction
        (replace(MIDDLE, follows="unknown", precedes="unknown"), A, ["m0", "m1", "m2", "m3", "x", "y"]),
        (MIDDLE, A, ["m0", "m1", "m2", "m3", "x", "y"]),
        (MIDDLE, A - 5, ["x", "y", "m0", "m1", "m2", "m3"]),
        (None, A - 5, ["x", "y", "m0", "m1", "m2", "m3"]),
        (None, None, ["m0", "m1", "m2", "m3", "x", "y"]),
    ],
)
def test_cursors_tell_where_a_page_lies_and_else_time(
    listing: Listing | None, stamp: int | None, order: list[str]
) -> None:
    more = [replace(message, created_at=stamp) for message in same_second("x", "y")]
    log = log_of(page(*same_second("m0", "m1", "m2", "m3")), page(*more, listing=listing))
    assert [m.id for m in log.messages] == order


PARTS = (Part("text", "all of it"),)
FULL = Message("m1", "assistant", PARTS, A, "run_1", outcome=Outcome.COMPLETED, sent_ns=7)


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        (FULL, replace(FULL, is_growing=True, outcome=None, parts=(Part("text", "al"),)), FULL),
        (
            replace(FULL, outcome=Outcome.INCOMPLETE),
            replace(FULL, is_growing=True, outcome=None, parts=(Part("text", "al"),)),
            replace(FULL, outcome=Outcome.INCOMPLETE),
        ),
        (
            replace(FULL, is_growing=False, outcome=None),
            replace(FULL, is_growing=True, outcome=None),
            replace(FULL, is_growing=True, outcome=None),
        ),
        (FULL, replace(FULL, outcome=Outcome.INCOMPLETE), replace(FULL, outcome=Outcome.INCOMPLETE)),
        (FULL, replace(FULL, parts=()), FULL),
        (replace(FULL, parts=()), replace(FULL, parts=()), replace(FULL, parts=())),
        (FULL, Message("m1", "assistant", PARTS), replace(FULL, is_growing=False, outcome=None)),
        (replace(FULL, created_at=A + 1), FULL, FULL),
        (replace(FULL, sent_ns=None), replace(FULL, sent_ns=9), replace(FULL, sent_ns=9)),
        (FULL, replace(FULL, sent_ns=None, run_id="run_2"), replace(FULL, run_id="run_2")),
    ],
)
def test_two_words_on_one_message(known: Message, new: Message, expected: Message) -> None:
    assert log_of(page(known, listing=None), page(new, listing=None)).messages == (expected,)


@pytest.mark.parametrize(
    ("sent_at", "listed_at", "is_same"),
    [
        (A, A, True),
        (A, A + 1, True),
        (A + 1, A, True),
        (A, A + 2, False),
        (None, A + 2, True),
        (A, None, True),
    ],
)
def test_a_message_sent_with_its_thread_is_known_again_by_text_and_second(
    sent_at: int | None, listed_at: int | None, is_same: bool
) -> None:
    sent, listed = (
        said("hi", "thread_1/0", created_at=sent_at, sent_ns=7),
        said("hi", "m1", created_at=listed_at),
    )
    log = log_of(page(sent, listing=None), page(listed))
    assert (replace(listed, sent_ns=7) in log.messages) is is_same
    assert len(log.messages) == 2 - is_same


@pytest.mark.parametrize(
    ("role", "part", "is_same"),
    [
        ("user", Part("text", "hi"), True),
        ("user", Part("text", "hi", {"annotations": [{"type": "file_path"}]}), True),  # filled in
        ("assistant", Part("text", "hi"), False),
        ("user", Part("text", "ho"), False),
    ],
)
def test_a_message_is_known_again_by_who_said_what(role: str, part: Part, is_same: bool) -> None:
    listed = Message("m1", role, (part,), A)
    log = log_of(page(said("hi", "thread_1/0", created_at=A), listing=None), page(listed))
    assert [m.id for m in log.messages] == (["m1"] if is_same else ["thread_1/0", "m1"])


def test_stores_of_a_thread_stay_known_until_it_says_others() -> None:
    told = (None, ("vs_1",), None, ("vs_2",), (), None)
    log, found = Conversation(), []
    for ids in told:
        log = record(log, seen(1, 2, data_source_ids=ids))
        found.append(log.data_source_ids)
    assert found == [(), ("vs_1",), ("vs_1",), ("vs_2",), (), ()]


@pytest.mark.parametrize(("count", "is_whole"), [(MAX_MESSAGES, True), (MAX_MESSAGES + 1, False)])
@pytest.mark.parametrize("listing", [WHOLE, None])
def test_a_thread_of_as_many_messages_as_are_kept_is_whole(
    count: int, is_whole: bool, listing: Listing | None
) -> None:
    messages = [said("x", f"m{n}", created_at=A) for n in range(count)]
    log = record(Conversation(), replace(page(*messages, listing=listing), created_conversation=True))
    assert (log.whole_since_start, log.messages) == (is_whole, tuple(messages[-MAX_MESSAGES:]))


def test_how_far_pages_reached() -> None:
    own, other = replace(FULL, sent_ns=None), replace(FULL, id="m0", run_id="run_0")
    assert log_of(page(own)).read_back_to is None  # nothing is older
    assert log_of(page(own, listing=NEWEST)).read_back_to == "run_1"
    assert log_of(page(listing=NEWEST, request_ns=0)) == Conversation(read_to_end_ns=0)
    later = log_of(page(own, listing=NEWEST, request_ns=100), page(other, listing=NEWEST, request_ns=100))
    assert (later.read_to_end_ns, later.read_back_to) == (100, "run_0")
    older = record(later, page(own, listing=NEWEST, request_ns=99))
    assert (older.read_to_end_ns, older.read_back_to) == (100, "run_0")
    filtered = [page(listing=replace(WHOLE, run_id=f"run_{n}"), request_ns=n) for n in range(20)]
    assert log_of(*filtered) == Conversation(read_for_run=tuple((f"run_{n}", n) for n in range(4, 20)))


@pytest.mark.parametrize(
    ("log", "ended_ns", "has_all"),
    [
        (Conversation(read_to_end_ns=110), 110, True),
        (Conversation(read_to_end_ns=109), 110, False),
        (Conversation(read_to_end_ns=110, read_back_to="run_1"), 110, False),
        (Conversation(read_to_end_ns=110, read_back_to="run_0"), 110, True),
        (Conversation(read_for_run=(("run_0", 200), ("run_1", 110))), 110, True),
        (Conversation(read_for_run=(("run_0", 200), ("run_1", 109))), 110, False),
        (Conversation(), 1, False),
        (Conversation(read_back_to="run_1"), 1, False),
    ],
)
def test_a_read_asked_for_when_the_run_was_seen_over_has_all_of_its_outputs(
    log: Conversation, ended_ns: int, has_all: bool
) -> None:
    assert has_all_outputs(log, after(poll(0, ended_ns, "completed"))) is has_all


@pytest.mark.parametrize(
    ("parts", "is_growing", "is_output"),
    [
        (PARTS, True, True),
        (PARTS, False, True),
        ((), False, True),
        ((), True, False),
    ],
)
def test_a_message_that_has_only_begun_is_no_output(
    parts: tuple[Part, ...], is_growing: bool, is_output: bool
) -> None:
    message = replace(FULL, parts=parts, is_growing=is_growing, outcome=None)
    assert outputs(Conversation((message,)), begun()) == ((message,) if is_output else ())


def test_what_was_sent_along_with_a_run_stands_once_however_the_server_lists_it() -> None:
    state = begun(S, 2 * S, request=RunRequest(additional_messages=(said("and this"),)))
    old = said("and this", "m0", created_at=A - 5)  # the same words, said before
    mine = said(
        "and this", "m1", created_at=A, sent_ns=S
    )  # and sent by us as a message of its own, just before
    other = said("other", "m2", created_at=A)
    twin = said("and this", "m3", created_at=A)
    with_id = said("and this", "m4", created_at=A, run_id="run_1")
    additional = state.request.additional_messages
    for listed, expected in (
        ((old, mine, other), (old, mine, other, *additional)),
        ((old, mine, other, twin), (old, mine, other, *additional)),
        ((twin, replace(twin, id="m9")), (twin, *additional)),
        ((old, with_id), (old, with_id)),
        ((old, with_id, replace(with_id, id="m5")), (old, *additional)),
    ):
        assert inputs(Conversation(listed), state) == expected
    nothing_known = replace(state, request=RunRequest())
    assert inputs(Conversation((old, with_id)), nothing_known) == (old, with_id)
    assert (
        inputs(Conversation((replace(mine, sent_ns=S + 1), replace(FULL, run_id="run_1"))), nothing_known)
        == ()
    )


@pytest.mark.parametrize(
    ("known", "listed", "ids"),
    [
        # a page that covers the thread lists what the stream told under another id
        ([FULL], [replace(FULL, id="x", run_id=None)], ["m1"]),
        ([FULL], [replace(FULL, id="x", created_at=A + 5)], ["m1", "x"]),  # the same words, said later
        ([FULL], [replace(FULL, id="x", parts=())], ["m1", "x"]),
        ([FULL, replace(FULL, id="m2")], [replace(FULL, id="x"), replace(FULL, id="m2")], ["m1", "m2"]),
        # one that had begun with a part of its text, on a server that repeats ids
        (
            [
                FULL,
                replace(
                    FULL,
                    id="m1\0r\0" + "1",
                    parts=(Part("text", "al"),),
                    is_growing=True,
                    outcome=None,
                    sent_ns=None,
                ),
            ],
            [replace(FULL, parts=(Part("text", "all"),), sent_ns=None)],
            ["m1", "m1\0r\0" + "1"],
        ),
        # two runs, two texts, one id
        ([FULL], [replace(FULL, run_id="run_2", parts=(Part("text", "no"),))], ["m1", "m1\0run_2"]),
        ([said("hi", "", sent_ns=1)], [said("hi", "", sent_ns=2)], ["\0", "\0\0" + "2"]),
        ([said("hi", "m1", sent_ns=1)], [said("ho", "m1", sent_ns=2)], ["m1", "m1\0"]),
    ],
)
def test_which_message_is_which(known: list[Message], listed: list[Message], ids: list[str]) -> None:
    log = Conversation(tuple(known)) if known[0].id else log_of(page(*known, listing=None))
    assert [m.id for m in record(log, page(*listed)).messages] == ids
