"""Long threads: what is said of a thread's end needs no look at its beginning, and the same is known as with one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from runspan.core import conversation, ids
from runspan.core.conversation import Begun, Conversation, record
from runspan.core.model import Listing, Message, Observation, Part
from tests.core.words import A

NAMED = ["m1", "m2", "m3", "m4", "m5", "m6", "m7"]


def looks(ids_: st.SearchStrategy[str]) -> st.SearchStrategy[list[Observation]]:
    said = st.builds(
        Message,
        ids_,
        st.sampled_from(["user", "assistant"]),
        st.builds(lambda text: (Part("text", text),), st.sampled_from(["one", "two", "three"])),
        created_at=st.sampled_from([None, A, A + 1, A + 2, A + 3]),
        run_id=st.sampled_from([None, "run_1", "run_2"]),
        sent_ns=st.sampled_from([None, 1, 2]),
    )
    edge, flag = st.none() | ids_, st.booleans()
    look = st.builds(
        Observation,
        request_ns=st.integers(1, 9),
        response_ns=st.just(9),
        messages=st.lists(said, max_size=3).map(tuple),
        listing=st.none() | st.builds(Listing, flag, flag, st.none(), edge, edge, flag),
        deleted_message_id=st.sampled_from([None, None, None, "m1", "m4"]),
    )
    return st.lists(look, min_size=6, max_size=16)


def told(log: Conversation) -> dict[str, Any]:
    """All but the numbers in its messages' keys, and what was left alone."""
    messages = tuple(replace(m, id=ids.shown(m.id)) for m in log.messages)
    return {**asdict(log), "messages": messages, "settled": None}


@given(looks(st.sampled_from([*NAMED, ""])) | looks(st.sampled_from([*NAMED, "sent/0"])))
def test_the_same_is_known_whatever_is_looked_at(seen: list[Observation]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversation, "MAX_MESSAGES", 8)
        known = {}
        for at_the_end in (1, 1_000):
            patch.setattr(conversation, "_AT_THE_END", at_the_end)
            log = Conversation(runs={"run_1": Begun(1)})
            for look in seen:
                log = record(log, look)
            known[at_the_end] = told(log)
    assert known[1] == known[1_000]


def test_a_long_thread_s_beginning_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that are sent, and pages of the newest: at each look no more than the end is gone through."""
    looked_at: list[int] = []
    recognised = conversation.recognised

    def counted(known: Any, *args: Any) -> Any:
        looked_at.append(len(known))
        return recognised(known, *args)

    monkeypatch.setattr(conversation, "recognised", counted)
    log, messages = Conversation(), list[Message]()
    for n in range(3 * conversation.MAX_MESSAGES // 2):
        messages.append(Message(f"m{n}", "user", (Part("text", "hello"),), created_at=A + n))
        page = Listing(False, True, is_ordered=True) if n > 20 else None
        for listing, of in ((None, messages[-1:]), (page, messages[-20:])):
            seen = Observation(request_ns=n, response_ns=n, messages=tuple(of), listing=listing)
            log = record(log, seen)
    assert max(looked_at) <= 2 * 64
    assert [m.id for m in log.messages] == [m.id for m in messages[-conversation.MAX_MESSAGES :]]
    assert log.weight_bytes == conversation.MAX_MESSAGES * (conversation._MESSAGE_BYTES + len("hello"))


STAMPLESS = tuple(
    Message(f"m{n}", "assistant", (Part("text", f"{n}"),), run_id="run_1") for n in range(200)
)  # of a server that gives no stamps


def page_of(messages: tuple[Message, ...], *, whole: bool) -> Observation:
    listing = Listing(whole, whole, is_ordered=True)
    return Observation(request_ns=2, response_ns=2, messages=messages, listing=listing)


def test_messages_that_wait_for_their_ids_get_them() -> None:
    """They were sent with the thread."""
    first = Message("sent/0", "user", (Part("text", "first"),), sent_ns=1)
    log = record(Conversation(), Observation(request_ns=1, response_ns=1, messages=(first, *STAMPLESS)))
    log = record(log, page_of((replace(first, id="msg_first", sent_ns=None),), whole=False))
    assert [m.id for m in log.messages] == ["msg_first", *(m.id for m in STAMPLESS)]


def test_a_whole_page_under_other_ids_is_recognised() -> None:
    log = record(Conversation(), Observation(request_ns=1, response_ns=1, messages=STAMPLESS))
    log = record(log, page_of(tuple(replace(m, id=f"other_{m.id}") for m in STAMPLESS), whole=True))
    assert log.messages == STAMPLESS
