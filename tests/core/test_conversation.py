"""Messages of a thread from pages, events and requests: knowledge only grows, the thread's order is kept."""

from __future__ import annotations

import random
from functools import reduce

import pytest
from msgspec.structs import replace

from runspan.core.conversation import MAX_MESSAGES, Begun, Conversation, record
from runspan.core.model import Listing, Message, Observation, Outcome, Part, RunRequest, RunStep
from runspan.core.run_messages import has_all_outputs, outputs
from tests.core.words import A, after, begun, event, poll, said, seen
from tests.support.examples import seeds

WHOLE = Listing(from_start=True, to_end=True)
NEWEST = Listing(from_start=False, to_end=True)
OLDEST = Listing(from_start=True, to_end=False)
MIDDLE = Listing(from_start=False, to_end=False)


def page(*messages: Message, listing: Listing | None = WHOLE, request_ns: int = 100) -> Observation:
    """A page in the thread's order, as the adapter gives it."""
    return seen(request_ns, request_ns + 5, messages=messages, listing=listing)


def told(*messages: Message) -> Observation:
    """Messages from a create, a retrieve or an event."""
    return page(*messages, listing=None)


def log_of(*observations: Observation) -> Conversation:
    return reduce(record, observations, Conversation())


def ids(log: Conversation) -> list[str]:
    return [m.id for m in log.messages]


def numbered(*numbers: int, at: int | None = None) -> list[Message]:
    """`m0, m1 ...`, a second apart, or all in the second `at`."""
    return [said(f"text {n}", f"m{n}", created_at=A + n if at is None else at) for n in numbers]


M = numbered(*range(6))
SAME = numbered(*range(6), at=A)


@pytest.mark.parametrize("messages", [M, SAME], ids=["a second apart", "in the same second"])
@pytest.mark.parametrize(
    "pages",
    [
        [[0, 1, 2, 3, 4, 5]],
        [[0, 1, 2], [3, 4, 5]],
        [[0, 1, 2], [2, 3, 4, 5]],
        [[0, 1, 2, 3], [1, 2, 3, 4, 5]],
        [[0, 1, 2, 3, 4, 5], [2, 3]],
        [[2, 3], [0, 1, 2, 3, 4, 5]],
        [[0, 5], [0, 1, 2, 3, 4, 5]],
        [[1, 3, 5], [0, 1, 2, 3, 4, 5]],
        [[4, 5], [3, 4], [0, 1, 2, 3]],
    ],
)
def test_pages_in_any_split_make_one_thread(messages: list[Message], pages: list[list[int]]) -> None:
    log = log_of(*(page(*(messages[i] for i in numbers), listing=MIDDLE) for numbers in pages))
    assert ids(log) == [f"m{i}" for i in range(6)]


def test_pages_read_from_the_newest_on_are_in_order() -> None:
    assert ids(log_of(page(*M[3:], listing=NEWEST), page(*M[:3], listing=OLDEST))) == ids(log_of(page(*M)))


@seeds(60)
def test_no_message_is_ever_lost_or_doubled(seed: int) -> None:
    """Not even where a server ignores `order`, so that two pages disagree about it."""
    chance, log, given = random.Random(seed), Conversation(), set()
    messages = numbered(*range(12), at=chance.choice([A, None]))
    for _ in range(chance.randrange(1, 7)):
        chosen = chance.sample(messages, chance.randrange(1, 8))
        if chance.random() < 0.5:
            chosen.sort(key=lambda m: int(m.id[1:]))
        if chance.random() < 0.2:
            chosen.append(chosen[0])
        log = record(log, page(*chosen, listing=chance.choice([WHOLE, NEWEST, None])))
        given |= {m.id for m in chosen}
        assert sorted(ids(log)) == sorted(given)


def test_a_partial_page_never_shortens_what_is_known() -> None:
    assert ids(log_of(page(*M), page(*M[4:], listing=NEWEST), page())) == ids(log_of(page(*M)))


def test_a_deleted_message_is_gone_and_the_others_stay() -> None:
    log = log_of(page(*M[:3]), seen(1, 2, deleted_message_id="m1"), seen(1, 2, deleted_message_id="m9"))
    assert ids(log) == ["m0", "m2"]


def test_a_later_word_on_a_message_holds_unless_it_knows_less() -> None:
    begun_ = Message("m1", "assistant", (), A, "run_1", is_growing=True)
    whole = Message("m1", "assistant", (Part("text", "all of it"),), A, "run_1", outcome=Outcome.COMPLETED)
    for order in (
        [begun_, whole],
        [whole, begun_],
        [whole, replace(begun_, parts=(Part("text", "al"),)), whole],
    ):
        assert log_of(*map(told, order)).messages == (whole,)
    changed = replace(whole, parts=(Part("text", "changed"),))
    assert log_of(told(whole), told(changed)).messages == (changed,)


def test_who_wrote_a_message_stays_known_where_a_later_answer_leaves_it_out() -> None:
    whole = Message("m1", "assistant", (Part("text", "hi"),), A, "run_1", outcome=Outcome.COMPLETED)
    (found,) = log_of(
        told(whole), told(replace(whole, run_id=None, created_at=None, is_growing=False, outcome=None))
    ).messages
    assert (found.run_id, found.created_at) == ("run_1", A)


# ---------------------------------------------------------------- messages sent with threads.create


def created(*texts: str) -> Observation:
    sent = (said(t, f"thread_1/{i}", created_at=A, sent_ns=7) for i, t in enumerate(texts))
    return seen(7, 9, messages=tuple(sent), created_conversation=True)


def test_messages_sent_with_the_thread_get_their_ids_from_a_later_page() -> None:
    listed = [said("one", "m0", created_at=A), said("two", "m1", created_at=A + 1)]
    log = log_of(created("one", "two"), page(*listed))
    assert log.messages == tuple(replace(m, sent_ns=7) for m in listed)


def test_equal_messages_sent_with_the_thread_are_as_many_as_were_sent() -> None:
    listed = [said("hi", f"m{i}", created_at=A) for i in range(3)]
    assert ids(log_of(created("hi", "hi", "hi"), page(*listed), page(*listed))) == ["m0", "m1", "m2"]


def test_a_partial_page_names_only_what_it_shows() -> None:
    one, two = said("one", "m0", created_at=A), said("two", "m1", created_at=A)
    for part, expected in (
        (page(two, listing=NEWEST), ["thread_1/0", "m1"]),
        (page(one, listing=OLDEST), ["m0", "thread_1/1"]),
    ):
        log = log_of(created("one", "two"), part)
        assert ids(log) == expected
        assert ids(record(log, page(one, two))) == ["m0", "m1"]


def test_a_server_that_does_not_stamp_threads_still_has_its_messages_recognised() -> None:
    sent = replace(created("one"), messages=(said("one", "thread_1/0", sent_ns=7),))
    assert ids(log_of(sent, page(said("one", "m0", created_at=A)))) == ["m0"]


# ---------------------------------------------------------------- how much is known


def test_what_a_thread_weighs() -> None:
    parts = (Part("text", "x" * 30), Part("image_file"), Part("text", "y" * 5))
    log = log_of(told(Message("m1", "user", parts), said("zz", "m2")))
    assert (Conversation().weight_bytes, log.weight_bytes) == (0, 2 * 500 + 30 + 5 + 2)
    assert record(log, told(said("z", "m2"))).weight_bytes == 2 * 500 + 30 + 5 + 1


def test_only_the_newest_of_a_huge_thread_are_kept_and_it_is_not_called_whole() -> None:
    log = log_of(created(), *(told(*numbered(*range(i, i + 100))) for i in range(0, MAX_MESSAGES + 300, 100)))
    assert (len(log.messages), log.messages[-1].id) == (MAX_MESSAGES, f"m{MAX_MESSAGES + 299}")
    assert not log.whole_since_start
    log = record(log, page(*numbered(*range(20)), listing=OLDEST))
    assert len(log.messages) == MAX_MESSAGES
    assert not log.whole_since_start


@pytest.mark.parametrize(
    ("observations", "whole"),
    [
        ([created("one")], True),
        ([page(*M)], True),
        ([page(*M[3:], listing=NEWEST)], False),
        ([page(*M[3:], listing=NEWEST), page(*M[:3], listing=OLDEST)], True),
        ([page(*M[:3], listing=OLDEST), page(*M[3:], listing=NEWEST)], True),
        ([told(M[0])], False),
        ([created("one"), page(*M[4:], listing=NEWEST)], True),
        ([page(*M[:3], listing=replace(WHOLE, run_id="run_1"))], False),
    ],
)
def test_a_thread_is_whole_when_it_is_known_from_its_beginning(
    observations: list[Observation], whole: bool
) -> None:
    assert log_of(*observations).whole_since_start is whole


def written(*numbers: int, run_id: str = "run_1") -> list[Message]:
    return [Message(f"w{n}", "assistant", (Part("text", f"{n}"),), A + n, run_id) for n in numbers]


POLLED = after(poll(0, 10, "queued"), poll(100, 110, "completed"))
OF_RUN = replace(WHOLE, run_id="run_1")


@pytest.mark.parametrize(
    ("observation", "has_all"),
    [
        (page(M[0], *written(1), request_ns=120), True),
        (page(M[0], *written(1), request_ns=120, listing=NEWEST), True),
        (page(*written(1), request_ns=120, listing=OF_RUN), True),
        (page(M[0], *written(1), request_ns=120, listing=OLDEST), False),
        (page(M[0], *written(1), request_ns=50), False),
        (
            page(M[0], request_ns=105),
            False,
        ),  # asked for while the poll was under way: the run may have been alive
        (page(*written(1), request_ns=120, listing=replace(OF_RUN, run_id="run_2")), False),
        (page(*written(2), request_ns=120, listing=NEWEST), False),  # limit=1: there may be more of this run
        (page(*written(2), request_ns=120, listing=replace(OF_RUN, from_start=False)), False),
        (page(*written(0, run_id="run_0"), *written(1), request_ns=120, listing=NEWEST), True),
        (told(*written(1)), False),
    ],
)
def test_all_outputs_are_known_once_a_page_read_after_the_end_reaches_back_before_the_run(
    observation: Observation, has_all: bool
) -> None:
    assert has_all_outputs(log_of(observation), POLLED) is has_all


def test_a_run_that_is_alive_may_still_write() -> None:
    assert not has_all_outputs(log_of(page(*M)), begun())


STREAMED = begun(request=RunRequest(stream=True))
NAMED = replace(
    event(4, None), runs=(), steps=(RunStep("s1", "message_creation", message_id="w1"),), all_steps=False
)
(W1,) = written(1)


@pytest.mark.parametrize(
    ("status", "messages", "named", "partial", "has_all"),
    [
        ("completed", [W1], True, {}, True),
        ("completed", [W1], False, {}, True),  # no event told of a step
        ("completed", [], False, {}, False),  # nor of a message
        ("incomplete", [], False, {}, False),
        ("completed", written(2), True, {}, False),  # another one than the step names
        ("completed", [replace(W1, parts=())], True, {}, False),  # it has begun, and that is all
        ("completed", [replace(W1, is_growing=True, outcome=None)], True, {}, False),
        ("completed", [W1, replace(W1, id="w2", parts=())], True, {}, False),
        (
            "completed",
            [replace(W1, is_growing=False, outcome=None)],
            True,
            {},
            True,
        ),  # the whole text in `created`
        ("completed", [W1], True, {"w9": "Then"}, False),  # deltas of one that never came
        ("failed", [], False, {}, True),
        ("cancelled", [], False, {}, True),
        ("failed", [], True, {}, False),
        ("failed", [], False, {"w1": "It i"}, False),
    ],
)
def test_a_stream_has_told_all_where_each_message_that_it_speaks_of_came_whole(
    status: str, messages: list[Message], named: bool, partial: dict[str, str], has_all: bool
) -> None:
    observations = [NAMED] if named else []
    state = after(*observations, event(5, status), state=replace(STREAMED, partial=partial))
    assert has_all_outputs(log_of(told(*messages)), state) is has_all


def test_a_stream_that_began_at_the_tool_outputs_has_not_told_what_was_written_before() -> None:
    assert not has_all_outputs(Conversation(), after(poll(0, 10, "queued"), event(50, "completed")))


def test_outputs_are_what_this_run_wrote_in_order() -> None:
    extra = said("also this", "m9", created_at=A, run_id="run_1")  # additional_messages carry the run's id
    log = log_of(page(M[0], *written(1, run_id="run_0"), extra, *written(2, 3)))
    assert [m.id for m in outputs(log, begun())] == ["w2", "w3"]


# ---------------------------------------------------------------- pages that stand on their head


@pytest.mark.parametrize(
    ("log", "is_turned"),
    [
        (Conversation(), False),  # nothing is known: what was asked for counts
        (log_of(told(SAME[0]), told(SAME[1])), True),
        (log_of(told(SAME[1]), told(SAME[0])), False),
        (log_of(told(SAME[1])), False),
        (Conversation((SAME[0],), whole_since_start=True), True),  # the thread's first message
        (Conversation((SAME[1],), whole_since_start=True), False),
        (log_of(told(replace(SAME[0], sent_ns=5)), told(replace(SAME[1], sent_ns=9))), True),
        (log_of(told(replace(SAME[1], sent_ns=5)), told(replace(SAME[0], sent_ns=9))), False),
    ],
)
def test_what_is_known_of_its_messages_turns_a_page_round(log: Conversation, is_turned: bool) -> None:
    listed = replace(OLDEST, follows="m1", precedes="m0")
    found = record(log, page(SAME[1], SAME[0], listing=listed))
    assert ids(found) == (["m0", "m1"] if is_turned else ["m1", "m0"])
    assert (found.read_to_end_ns is not None) is is_turned
    told_by_stamps = record(log, page(SAME[1], SAME[0], listing=replace(OLDEST, is_ordered=True)))
    assert (told_by_stamps.read_to_end_ns, told_by_stamps.whole_since_start) == (None, True)


def test_a_page_of_runs_answers_is_turned_by_when_we_asked_for_those() -> None:
    first, second = (Message(f"w{n}", "assistant", (Part("text", f"{n}"),), A, f"run_{n}") for n in range(2))
    log = Conversation(runs={"run_0": Begun(10), "run_1": Begun(20)})
    assert ids(record(log, page(second, first))) == ["w0", "w1"]
    assert ids(record(log, page(first, second))) == ["w0", "w1"]
